/** Nexus: nodes drawn into one. */
export function Logo({ className }: { className?: string }) {
  return (
    <svg
      viewBox="0 0 24 24"
      aria-hidden
      className={className}
      fill="none"
      stroke="currentColor"
      strokeWidth="2"
    >
      <path d="M5 19V5l14 14V5" strokeLinejoin="round" strokeLinecap="round" />
      <circle cx="5" cy="5" r="2.4" fill="currentColor" stroke="none" />
      <circle cx="19" cy="19" r="2.4" fill="currentColor" stroke="none" />
      <circle cx="5" cy="19" r="2.4" fill="currentColor" stroke="none" />
      <circle cx="19" cy="5" r="2.4" fill="currentColor" stroke="none" />
    </svg>
  );
}
