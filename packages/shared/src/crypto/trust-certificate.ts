/** Trust in a control plane's own certificate, for programs that speak to it by `fetch`. Needs Node. */
import tls from "node:tls";

/**
 * Trusts `certificate` (PEM) beside what the system trusts, for every connection that this process makes from now on.
 * Host names are still checked.
 */
export function trustCertificate(certificate: string): void {
  tls.setDefaultCACertificates([...tls.getCACertificates("default"), certificate]);
}
