// Address of an S3 service, and the key with which it is used: from options, the environment, or the files of AWS (~/.aws), as AWS's own
// command line finds them.

import { GristmillError } from '../../base/errors.ts'

export interface S3Access {
  /** Address of the service, such as http://127.0.0.1:9000. Default: Amazon's. */
  readonly endpoint?: string | undefined
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
}

/** Choices of a user; the rest is looked for. */
export interface S3Options {
  readonly endpoint?: string | undefined
  readonly region?: string | undefined
  /** Section of the files; default: AWS_PROFILE, or `default`. */
  readonly profile?: string | undefined
}

interface AccessDeps {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly userDirectory: string
  /** Text of a local file; undefined if there is none. */
  readonly readText: (path: string) => Promise<string | undefined>
}

type Section = Readonly<Record<string, string>>

/** Throws UNAUTHENTICATED if no key is found, EINVAL for a wrong address, CONFIG_INVALID for a profile that is nowhere. */
export async function findAccess({ env, userDirectory, readText }: AccessDeps, options: S3Options = {}): Promise<S3Access> {
  const profile = options.profile ?? env['AWS_PROFILE'] ?? 'default'
  const section = async (file: string, name: string): Promise<Section | undefined> => sectionsOf(await readText(file) ?? '').get(name)
  const [config, keys] = await Promise.all([
    section(env['AWS_CONFIG_FILE'] ?? `${userDirectory}/.aws/config`, profile === 'default' ? profile : `profile ${profile}`),
    section(env['AWS_SHARED_CREDENTIALS_FILE'] ?? `${userDirectory}/.aws/credentials`, profile),
  ])
  if (profile !== 'default' && !config && !keys)
    throw new GristmillError('CONFIG_INVALID', `there is no profile ${JSON.stringify(profile)} in ~/.aws/config or ~/.aws/credentials`)
  const endpoint = options.endpoint ?? env['AWS_ENDPOINT_URL_S3'] ?? env['AWS_ENDPOINT_URL'] ?? config?.['endpoint_url']
  if (endpoint !== undefined && !(/^https?:\/\//.test(endpoint) && URL.canParse(endpoint)))
    throw new GristmillError('EINVAL', 'the address of the S3 service is not one; write http://HOST:PORT or https://HOST')
  const region = options.region ?? env['AWS_REGION'] ?? env['AWS_DEFAULT_REGION'] ?? config?.['region'] ?? 'us-east-1'
  if (!/^[a-z0-9-]+$/.test(region)) throw new GristmillError('EINVAL', `${JSON.stringify(region)} is no region`)
  // A profile that the user has named goes before the environment, as in AWS's own command line.
  const fromEnv = options.profile === undefined && env['AWS_ACCESS_KEY_ID'] ? {
    aws_access_key_id: env['AWS_ACCESS_KEY_ID'], aws_secret_access_key: env['AWS_SECRET_ACCESS_KEY'],
    aws_session_token: env['AWS_SESSION_TOKEN'],
  } : undefined
  const found: Readonly<Record<string, string | undefined>> = fromEnv ?? (keys?.['aws_access_key_id'] ? keys : config) ?? {}
  const { aws_access_key_id: accessKeyId, aws_secret_access_key: secretAccessKey, aws_session_token: sessionToken } = found
  if (!accessKeyId || !secretAccessKey)
    throw new GristmillError(
      'UNAUTHENTICATED',
      'there is no access key for S3: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write them into ~/.aws/credentials',
    )
  return { region, accessKeyId, secretAccessKey, ...endpoint && { endpoint }, ...sessionToken && { sessionToken } }
}

/** Sections of a file of AWS: `[name]`, and lines `key = value`. */
function sectionsOf(text: string): ReadonlyMap<string, Section> {
  const sections = new Map<string, Record<string, string>>()
  let section: Record<string, string> = {}
  for (const line of text.split(/\r?\n/)) {
    const name = /^\s*\[\s*(.*?)\s*\]/.exec(line)?.[1]
    if (name !== undefined) {
      section = sections.get(name) ?? {}
      sections.set(name, section)
    }
    const [, key, value] = /^([\w.-]+)\s*=\s*(.*?)\s*$/.exec(line) ?? []
    if (key !== undefined) section[key.toLowerCase()] = value!
  }
  return sections
}
