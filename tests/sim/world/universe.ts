import type { Tables } from "../database/tables.ts";
import type { ControlPlane } from "./control-plane.ts";
import type { Database } from "./database.ts";
import type { Program } from "./kernel.ts";
import type { Machine } from "./machine.ts";
import type { NodeIdentity } from "./node.ts";

/** All that there is in one simulation. */
export type Universe = {
  tables: Tables;
  server: Machine;
  nodes: { machine: Machine; identity: NodeIdentity; program: Program | null; isFinal: boolean }[];
  controlPlane: ControlPlane | null;
  serverProgram: Program | null;
  database: Database;
  isMended: boolean;
};
