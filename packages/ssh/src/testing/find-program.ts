import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** The first of these programs that is there: names are looked up in PATH and where Debian keeps root's programs. */
export function findProgram(names: (string | undefined)[]): string | undefined {
  // biome-ignore lint/style/noProcessEnv: tests find programs as a person's shell does
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/bin"];
  const paths = names
    .filter((name): name is string => name !== undefined && name !== "")
    .flatMap((name) => (name.includes("/") ? [name] : folders.map((folder) => join(folder, name))));
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
