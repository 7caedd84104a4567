import { PHASE_DEVELOPMENT_SERVER } from "next/constants.js";

/**
 * Plain JavaScript, since the server reads it at every start and an image has no compiler.
 * Next is a view only: every other route (tRPC, sockets, sign-in, raw logs) is answered by our own server before Next sees
 * it. So there are no redirects, rewrites or headers here, and nothing of `src/server` may be reachable from `src/app`.
 * @type {(phase: string) => import("next").NextConfig}
 */
const config = (phase) => ({
  poweredByHeader: false,
  // Pages named `page.dev.tsx` are for those who work on Nexus; what is built for use has none of them.
  pageExtensions: phase === PHASE_DEVELOPMENT_SERVER ? ["dev.tsx", "tsx", "ts"] : ["tsx", "ts"],
  typedRoutes: true,
  reactStrictMode: true,
  // No image is optimised at run time: it would need a native module in the published package.
  images: { unoptimized: true },
  devIndicators: false,
  agentRules: false,
  // Types are a check of their own (`npm run check -- --only types`); a person's first start does not wait for it.
  typescript: { ignoreBuildErrors: true },
  transpilePackages: ["@nexus/shared"],
});

export default config;
