import type { Metadata } from "next";
import { SignInView } from "../../features/sign-in/sign-in-view.tsx";
import { Providers } from "../providers.tsx";

export const metadata: Metadata = { title: "Sign in" };

export default function SignInPage() {
  return (
    <Providers>
      <SignInView />
    </Providers>
  );
}
