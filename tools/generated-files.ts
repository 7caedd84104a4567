/** A command that writes files which are in git. `npm run check` runs it and fails when it would change them. */
export type Generator = {
  name: string;
  /** From the root of the repository; programs of the root's node_modules are found by name. */
  argv: string[];
  cwd?: string;
  /** Files or folders, from the root. */
  outputs: string[];
};

export const GENERATORS: Generator[] = [
  ...["apps/agent/bin", "apps/cli/bin"].map((bin) => ({
    name: `a fit Node for ${bin}`,
    argv: ["cp", "tools/bootstrap/ensure-node.mjs", bin],
    outputs: [`${bin}/ensure-node.mjs`],
  })),
];
