/** `$NEXUS_HOME/run/up.json`: what a control plane that `npm run up` started leaves for it once it is ready. Mode 0600. */
import * as z from "zod";

export const upFileSchema = z.object({
  url: z.url({ protocol: /^https?$/ }),
  /** Signs its owner in, once. */
  signInLink: z.url(),
  /** The server's own certificate in PEM, when it serves https with one. */
  certificate: z.string().optional(),
  /** There when this machine is not enrolled. */
  enrollToken: z.string().optional(),
});
export type UpFile = z.infer<typeof upFileSchema>;
