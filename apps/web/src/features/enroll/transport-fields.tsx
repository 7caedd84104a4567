import { Field, Input } from "../../ui/field.tsx";

export type TransportInput = {
  /** As `parseTransports` reads it; empty for a direct connection. */
  text: string;
  tokenId: string;
  tokenSecret: string;
};

export const DIRECT: TransportInput = { text: "", tokenId: "", tokenSecret: "" };

/** Whether Cloudflare's token has a place. */
const usesCloudflare = ({ text }: TransportInput): boolean => text.includes("cloudflare");

/** Null where none was given. */
export function tokenOf(input: TransportInput): { id: string; secret: string } | null {
  const { tokenId: id, tokenSecret: secret } = input;
  return usesCloudflare(input) && id !== "" && secret !== "" ? { id, secret } : null;
}

type TransportFieldsProps = { value: TransportInput; onChange: (next: TransportInput) => void };

export function TransportFields({ value, onChange }: TransportFieldsProps) {
  return (
    <>
      <Field
        label="Transports"
        optional
        className="col-span-full"
        hint="direct, tailscale, cloudflare, in the order to try. With =name where the machine has another name there: %n is its name, %h its address."
      >
        {(control) => (
          <Input
            {...control}
            value={value.text}
            placeholder="tailscale=%n, direct, cloudflare=%n.example.com"
            spellCheck={false}
            onChange={(event) => onChange({ ...value, text: event.target.value })}
          />
        )}
      </Field>
      {usesCloudflare(value) && (
        <>
          <Field label="Service token ID" optional hint="Of Cloudflare Access, where it asks for one.">
            {(control) => (
              <Input
                {...control}
                value={value.tokenId}
                placeholder="0a1b2c3d.access"
                spellCheck={false}
                onChange={(event) => onChange({ ...value, tokenId: event.target.value })}
              />
            )}
          </Field>
          <Field
            label="Service token secret"
            optional
            hint="Kept here, sealed, only where a key is kept for the machine too."
          >
            {(control) => (
              <Input
                {...control}
                type="password"
                autoComplete="off"
                value={value.tokenSecret}
                onChange={(event) => onChange({ ...value, tokenSecret: event.target.value })}
              />
            )}
          </Field>
        </>
      )}
    </>
  );
}
