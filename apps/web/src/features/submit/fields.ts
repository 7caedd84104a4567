import type { FormErrors, JobForm } from "./job-form.ts";

/** What every group of fields is given. */
export type FieldsProps = {
  form: JobForm;
  errors: FormErrors;
  onChange: (part: Partial<JobForm>) => void;
};
