# The control plane as an image. The agent is not in it: nodes run `npx nexus-agent`.
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /src
ENV NEXT_TELEMETRY_DISABLED=1 TURBO_TELEMETRY_DISABLED=1 DO_NOT_TRACK=1
COPY . .
RUN npm ci && npx turbo run build --filter=@nexus/web && rm -rf apps/web/.next/cache

FROM ${NODE_IMAGE} AS modules
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
COPY apps/web/package.json apps/web/
COPY packages/shared/package.json packages/shared/
COPY packages/ssh/package.json packages/ssh/
# Only what the server imports: pages are compiled, and optional packages are compilers and the embedded Postgres, which a
# server replaces by DATABASE_URL.
RUN npm ci --omit=dev --omit=optional --omit=peer --workspace @nexus/web && mkdir -p apps/web/node_modules

FROM ${NODE_IMAGE}
ENV NODE_ENV=production NEXT_TELEMETRY_DISABLED=1 NEXUS_HOME=/var/lib/nexus
WORKDIR /app
COPY --from=modules /src/node_modules ./node_modules
COPY --from=modules /src/apps/web/node_modules ./apps/web/node_modules
COPY --from=build /src/package.json ./
COPY --from=build /src/apps/web/package.json /src/apps/web/next.config.mjs ./apps/web/
COPY --from=build /src/apps/web/dist ./apps/web/dist
COPY --from=build /src/apps/web/.next ./apps/web/.next
COPY --from=build /src/apps/web/drizzle ./apps/web/drizzle
RUN useradd --system --uid 10001 --home-dir /var/lib/nexus nexus \
  && mkdir -p /var/lib/nexus && chown nexus:nexus /var/lib/nexus && chmod 700 /var/lib/nexus
USER nexus
VOLUME /var/lib/nexus
EXPOSE 54323
# Half the memory, no slower: V8 would keep a hundred MB and more for short-lived objects.
CMD ["node", "--max-semi-space-size=2", "apps/web/dist/server.js"]
