// Checks that a certificate and a key in PEM can serve TLS together, with the library that will.

import { createSecureContext } from 'node:tls'

/** Throws an Error that says what is wrong. */
export function checkKeyPair({ cert, key }: { readonly cert: Buffer; readonly key: Buffer }): void {
  createSecureContext({ cert, key })
}
