ALTER TABLE "target_ssh" ADD COLUMN "is_legacy" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "target_ssh" ADD COLUMN "sealed_cloudflare_token" text;--> statement-breakpoint
UPDATE "target_ssh" SET "transports" = (
  SELECT jsonb_agg(jsonb_build_object('kind', way."kind") ORDER BY way."place")
  FROM jsonb_array_elements_text("transports") WITH ORDINALITY AS way("kind", "place")
);
