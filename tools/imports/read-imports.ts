import type { ImportDeclarationSpecifier, Node } from "oxc-parser";
import { type Code, walk } from "../code/parse-code.ts";

/** One import of one file. `typeOnly` imports vanish when the types are stripped. */
export type Import = { specifier: string; line: number; typeOnly: boolean };

/** All of them: static, re-exports, `import()`, `import("…").Type` and `require`. */
export function readImports(code: Code): Import[] {
  const imports: Import[] = [];
  const add = (source: Node | null, typeOnly: boolean): void => {
    if (source?.type !== "Literal" || typeof source.value !== "string") return;
    imports.push({ specifier: source.value, line: code.lineAt(source.start), typeOnly });
  };
  walk(code.program, (node) => {
    switch (node.type) {
      case "ImportDeclaration":
        return add(node.source, node.importKind === "type" || onlyTypes(node.specifiers));
      case "ExportNamedDeclaration":
        return add(node.source, node.exportKind === "type");
      case "ExportAllDeclaration":
        return add(node.source, node.exportKind === "type");
      case "ImportExpression":
        return add(node.source, false);
      case "TSImportType":
        return add(node.source, true);
      case "CallExpression":
        if (node.callee.type === "Identifier" && node.callee.name === "require")
          add(node.arguments[0] ?? null, false);
        return;
    }
  });
  return imports;
}

/** `import { type A, type B }` is written by hand now and then; an import without names runs the file. */
function onlyTypes(specifiers: ImportDeclarationSpecifier[]): boolean {
  return (
    specifiers.length > 0 &&
    specifiers.every((one) => one.type === "ImportSpecifier" && one.importKind === "type")
  );
}
