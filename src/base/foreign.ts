// Requests of clients of S3 and WebHDFS that have reached a port of another protocol, and answers that these clients understand: an answer
// in another form hides its reason from the person who has mixed up the ports.

/** Protocol of a request that another port answers. */
type ForeignProtocol = 'S3' | 'WebHDFS'

interface ForeignRequest {
  readonly target: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

/** undefined: the request shows neither of them. */
export function foreignProtocol({ target, headers }: ForeignRequest): ForeignProtocol | undefined {
  if (/^\/webhdfs\/v1(?:[/?]|$)/i.test(target)) return 'WebHDFS'
  const isSigned = String(headers.authorization ?? '').startsWith('AWS4-HMAC-SHA256 ') || /[?&]X-Amz-Algorithm=/.test(target)
  return isSigned ? 'S3' : undefined
}

/** Body of an error in the form of the protocol. `message`: without characters of markup. */
export const foreignError = (protocol: ForeignProtocol, message: string): { readonly type: string; readonly body: string } =>
  (protocol === 'S3'
    ? { type: 'application/xml',
      body: `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>InvalidRequest</Code><Message>${message}</Message></Error>` }
    : { type: 'application/json',
      body: JSON.stringify({ RemoteException: { exception: 'IOException', javaClassName: 'java.io.IOException', message } }) })
