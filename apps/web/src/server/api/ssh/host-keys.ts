import { procedure } from "../trpc.ts";

export const listSshHostKeys = procedure("ssh.hostKeys", ({ ctx, principal }) => ctx.ssh.hostKeys(principal));
