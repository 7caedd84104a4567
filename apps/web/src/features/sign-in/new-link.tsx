import { CommandBox } from "../../ui/copy-button.tsx";

/** For who has neither a password nor a link that works. Open where one just failed. */
export function NewLink({ isOpen }: { isOpen: boolean }) {
  return (
    <details open={isOpen} className="mt-4 text-content-2">
      <summary className="cursor-pointer text-12 hover:text-content-1">
        No password? Get a one-time link
      </summary>
      <div className="mt-3 flex flex-col gap-3">
        <p>Ask an admin of your team for one. Who has a shell on the server makes it there.</p>
        <LinkCommands />
      </div>
    </details>
  );
}

/** How a link is made on the server, whichever way it was started. */
export function LinkCommands() {
  return (
    <>
      <p className="text-12 text-content-3">Started by npm: this prints one, also while it runs.</p>
      <CommandBox command="npm run up" />
      <p className="text-12 text-content-3">Started by docker compose:</p>
      <CommandBox command="docker compose exec web node apps/web/dist/server.js sign-in-link" />
    </>
  );
}
