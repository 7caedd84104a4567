/** In place of `node:crypto`: the real one, with the seed's randomness. */
import * as crypto from "node:crypto";
import { kernel } from "../world/kernel.ts";

export const { createHash, createHmac, hkdfSync, timingSafeEqual } = crypto;
export const randomBytes = (count: number) => Buffer.from(kernel().random.bytes(count));
