import type { Tables } from "../database/tables.ts";
import type { ControlPlane } from "./control-plane.ts";
import type { Database } from "./database.ts";
import type { Program } from "./kernel.ts";
import type { Machine } from "./machine.ts";
import type { NodeIdentity } from "./node.ts";

export type SimNode = {
  machine: Machine;
  identity: NodeIdentity;
  program: Program | null;
  isFinal: boolean;
};

/** All that there is in one simulation. */
export type Universe = {
  tables: Tables;
  server: Machine;
  nodes: SimNode[];
  /** Starts its agent, now and whenever it ended. */
  watchNode(node: SimNode): void;
  controlPlane: ControlPlane | null;
  serverProgram: Program | null;
  database: Database;
  isMended: boolean;
};
