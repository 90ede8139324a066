// Parameters of WebHDFS requests: names, forms, and the messages of HDFS for what does not fit. Names are case-insensitive; a parameter
// that is not in the table is ignored, as HDFS does, because clients send what older and newer servers know.

import { RemoteException } from './errors.ts'

type Parse<T> = (text: string, name: string) => T

const refused = (name: string, why: string): RemoteException =>
  new RemoteException('IllegalArgumentException', `Invalid value for webhdfs parameter "${name}": ${why}`)

const text: Parse<string> = given => given

const flag: Parse<boolean> = (given, name) => {
  const lower = given.toLowerCase()
  if (lower !== 'true' && lower !== 'false') throw refused(name, `Failed to parse "${given}" to Boolean.`)
  return lower === 'true'
}

/** `null` means that the parameter was not given, as in HDFS. */
const whole = (
  type: 'short' | 'int' | 'long', min: number, { radix = 10, max = Number.MAX_SAFE_INTEGER } = {},
): Parse<number | undefined> =>
  (given, name) => {
    if (given === 'null') return undefined
    const digits = radix === 8 ? /^[+-]?[0-7]{1,8}$/ : /^[+-]?\d{1,19}$/
    const value = digits.test(given) ? Number.parseInt(given, radix) : Number.NaN
    const fits = Math.abs(value) <= { short: 32_767, int: 2_147_483_647, long: 2 ** 63 }[type]
    if (!fits)
      throw refused(name, `Failed to parse "${given}" as a radix-${radix} ${type} integer.`.replace('int integer', 'integer'))
    const shown = value.toString(radix)
    if (value < min) throw refused(name, `Invalid parameter range: ${name} = ${shown} < ${min}`)
    if (value > max) throw refused(name, `Invalid parameter range: ${name} = ${shown} > ${max.toString(radix)}`)
    return value
  }

const matching = (form: RegExp, domain: string): Parse<string> => (given, name) => {
  if (!form.test(given)) throw refused(name, `Invalid value: "${given}" does not belong to the domain ${domain}`)
  return given
}

const oneOf = <const T extends string>(values: readonly T[], javaEnum: string): Parse<T> => (given, name) => {
  const upper = given.toUpperCase() as T
  if (!values.includes(upper)) throw refused(name, `No enum constant ${javaEnum}.${upper}`)
  return upper
}

const severalOf = <const T extends string>(values: readonly T[], javaEnum: string): Parse<readonly T[]> => (given, name) =>
  given.split(',').filter(Boolean).map(one => oneOf(values, javaEnum)(one.trim(), name))

const absolute: Parse<string> = (given, name) => {
  if (!given.startsWith('/')) throw refused(name, `Invalid parameter value: ${name} = "${given}" is not an absolute path.`)
  return given
}

const userDomain = '^[A-Za-z_][A-Za-z0-9._-]*[$]?$'
const userName = matching(new RegExp(userDomain), userDomain)
const aclEntry = '(default:)?(user|group|mask|other):[[A-Za-z_][A-Za-z0-9._-]]*:([rwx-]{3})?'
/** As HDFS names it; its second class of letters is within the first, which JavaScript writes in another way. */
const aclDomain = `^${aclEntry}(,${aclEntry})*$`
const aclForm = new RegExp(aclDomain.replaceAll('[[A-Za-z_][A-Za-z0-9._-]]*', '[A-Za-z0-9._-]*'))
const mode = whole('short', 0, { radix: 8, max: 0o1777 })

/** Names in lower case. */
const table = {
  op: text,
  'user.name': userName,
  doas: userName,
  delegation: text,
  // Java's clients send the largest long for "to the end".
  offset: whole('long', 0, { max: 2 ** 63 }),
  length: whole('long', 0, { max: 2 ** 63 }),
  buffersize: whole('int', 1),
  blocksize: whole('long', 1),
  replication: whole('short', 1),
  permission: mode,
  unmaskedpermission: mode,
  overwrite: flag,
  createparent: flag,
  createflag: severalOf(['CREATE', 'OVERWRITE', 'APPEND', 'SYNC_BLOCK', 'LAZY_PERSIST', 'NEW_BLOCK', 'NO_LOCAL_WRITE', 'SHOULD_REPLICATE',
    'IGNORE_CLIENT_LOCALITY', 'NO_LOCAL_RACK'], 'org.apache.hadoop.fs.CreateFlag'),
  recursive: flag,
  noredirect: flag,
  modificationtime: whole('long', -1),
  accesstime: whole('long', -1),
  destination: absolute,
  renameoptions: severalOf(['NONE', 'OVERWRITE', 'TO_TRASH'], 'org.apache.hadoop.fs.Options.Rename'),
  owner: text,
  group: text,
  fsaction: matching(/^[r-][w-][x-]$/, '[r-][w-][x-]'),
  'xattr.value': text,
  encoding: oneOf(['TEXT', 'HEX', 'BASE64'], 'org.apache.hadoop.fs.XAttrCodec'),
  flag: severalOf(['CREATE', 'REPLACE'], 'org.apache.hadoop.fs.XAttrSetFlag'),
  snapshotname: text,
  oldsnapshotname: text,
  snapshotdiffstartpath: text,
  snapshotdiffindex: whole('int', -1),
  startafter: text,
  namespacequota: whole('long', -1),
  storagespacequota: whole('long', -1),
  newlength: whole('long', 0),
  sources: text,
  token: text,
  renewer: text,
  service: text,
  kind: text,
  storagepolicy: text,
  storagetype: text,
  ecpolicy: text,
  aclspec: matching(aclForm, aclDomain),
  /** Ours: the second step of a redirected operation, as HttpFS names it. */
  data: flag,
} as const satisfies Record<string, Parse<unknown>>

export type ParamName = keyof typeof table

export type RequestParams = { readonly [Name in ParamName]?: ReturnType<(typeof table)[Name]> } & {
  /** May be given several times. */
  readonly 'xattr.name': readonly string[]
}

/** Parameters of a query. Throws RemoteException. */
export function parseParams(query: string): RequestParams {
  const params: Record<string, unknown> = {}
  const attributes: string[] = []
  for (const part of query.split('&')) {
    if (part === '') continue
    const equals = part.indexOf('=')
    const name = decoded(equals < 0 ? part : part.slice(0, equals)).toLowerCase()
    const value = decoded(equals < 0 ? '' : part.slice(equals + 1))
    if (name === 'xattr.name' && value !== '') attributes.push(value)
    if (!Object.hasOwn(table, name) || value === '' || params[name] !== undefined) continue
    params[name] = table[name as ParamName](value, name)
  }
  return { ...params, 'xattr.name': attributes }
}

/** In a query a plus stands for a space. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part.replaceAll('+', ' '))
  } catch (error) {
    throw new RemoteException('IllegalArgumentException', 'the query of the request is not percent-encoded UTF-8', { cause: error })
  }
}
