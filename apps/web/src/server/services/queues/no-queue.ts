import { NexusError } from "@nexus/shared/errors";

export function noQueue(name: string): NexusError {
  return new NexusError("not_found", {
    detail: `There is no queue ${name}. \`nexus queues\` names those there are.`,
  });
}
