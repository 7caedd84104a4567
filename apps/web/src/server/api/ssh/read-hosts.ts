import { procedure } from "../trpc.ts";

export const readSshHosts = procedure("ssh.readHosts", ({ ctx, input }) => ctx.ssh.readHosts(input));
