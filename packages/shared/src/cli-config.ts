/** `$NEXUS_HOME/cli.json`, written by `nexus login` and by the control plane under `npm run up`, read by `nexus`. Mode 0600. */
import * as z from "zod";

export const CLI_CONFIG_FILE = "cli.json";
export const DEFAULT_SERVER = "default";

const cliServerSchema = z.looseObject({
  url: z.url({ protocol: /^https?$/ }),
  apiKey: z.string().min(1),
  /** The server's own certificate in PEM, when no authority vouches for it. */
  certificate: z.string().optional(),
  /** The target that `-t` means when it is not given. */
  target: z.string().min(1).optional(),
});
export type CliServer = z.infer<typeof cliServerSchema>;

/** Fields that a newer version wrote are kept. */
export const cliConfigSchema = z.looseObject({ servers: z.record(z.string(), cliServerSchema) });
export type CliConfig = z.infer<typeof cliConfigSchema>;
