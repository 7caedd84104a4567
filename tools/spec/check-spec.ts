import type { Finding } from "../code/finding.ts";
import { parseCode } from "../code/parse-code.ts";
import { isCode, type Source } from "../code/source.ts";
import { type Rule, readRules } from "./read-rules.ts";
import { readTestTitles, rulesOf } from "./read-test-titles.ts";

/**
 * Holds rules and tests together: every rule of `docs/spec` is proven by a test that runs, every rule that a test
 * names exists, every number is given once. Unit tests without a rule are fine.
 */
export function checkSpec(sources: Source[]): Finding[] {
  const pages = sources.filter((one) => /^docs\/spec\/.*\.md$/.test(one.path)).map(readRules);
  const rules = pages.flatMap((page) => page.rules);
  const proofs = sources.filter((one) => isCode(one.path) && mayHoldTests(one)).flatMap(readProofs);
  const known = new Set(rules.map((rule) => rule.id));
  const proven = new Set(proofs.flatMap((proof) => (proof.runs ? proof.ids : [])));
  return [
    ...pages.flatMap((page) => page.findings),
    ...findDoubles(rules),
    ...rules.filter((rule) => !proven.has(rule.id)).map(asUnproven),
    ...proofs.flatMap((proof) => proof.ids.filter((id) => !known.has(id)).map((id) => asUnknown(proof, id))),
  ];
}

type Proof = { path: string; line: number; ids: string[]; runs: boolean };

/** Contract suites keep their tests in ordinary files: what counts is that a test runner is imported. */
function mayHoldTests({ path, text }: Source): boolean {
  return /\.(test|e2e)\.tsx?$/.test(path) || /from "(vitest|playwright\/test|@playwright\/test)"/.test(text);
}

function readProofs(source: Source): Proof[] {
  const code = parseCode(source);
  // The import check and the type check name the syntax error; here the file proves nothing.
  if ("syntaxError" in code) return [];
  return readTestTitles(code).map(({ title, line, runs }) => ({
    path: source.path,
    line,
    ids: rulesOf(title),
    runs,
  }));
}

function findDoubles(rules: Rule[]): Finding[] {
  const first = new Map<string, Rule>();
  return rules.flatMap((rule) => {
    const earlier = first.get(rule.id);
    if (!earlier) {
      first.set(rule.id, rule);
      return [];
    }
    const message = `${rule.id} is taken by ${earlier.path}:${earlier.line}: give this rule the next free number`;
    return [{ path: rule.path, line: rule.line, rule: "spec/double", message }];
  });
}

function asUnproven({ id, path, line }: Rule): Finding {
  const message = `${id} has no test that runs: begin the title of the test that proves it with [${id}]`;
  return { path, line, rule: "spec/unproven", message };
}

function asUnknown({ path, line }: Proof, id: string): Finding {
  const message = `the test claims ${id}, which no page of docs/spec has: write the rule, or correct the number`;
  return { path, line, rule: "spec/unknown", message };
}
