import { procedure } from "../trpc.ts";

export const listSshWays = procedure("ssh.ways", ({ ctx, principal }) => ctx.ssh.ways(principal));
