"use client";
import { Toaster as Sonner, toast } from "sonner";
import { useTheme } from "./theme.ts";

export function Toaster() {
  const { resolved } = useTheme();
  return (
    <Sonner
      theme={resolved}
      position="bottom-right"
      gap={8}
      visibleToasts={4}
      mobileOffset={{ bottom: 72 }}
      toastOptions={{
        unstyled: true,
        classNames: {
          toast:
            "flex w-full items-start gap-2.5 rounded-lg bg-overlay px-3.5 py-3 text-13 text-content-1 shadow-overlay font-sans",
          title: "font-medium",
          description: "text-content-2 text-12 mt-0.5",
          icon: "mt-0.5 shrink-0 [&_svg]:size-4",
          success: "[&_[data-icon]]:text-good",
          error: "[&_[data-icon]]:text-bad",
          warning: "[&_[data-icon]]:text-wait",
          actionButton:
            "ml-auto shrink-0 rounded-md border border-border-2 px-2 h-7 text-12 font-medium hover:bg-surface-2",
        },
      }}
    />
  );
}

export { toast };
