// The dialect WebHDFS: finds the user, the path and the operation of a request, and sends the operation's answer. Clients of HDFS over HTTP
// work with the cluster by changing an address.

import { GristmillError, hasCode } from '../../../src/base/errors.ts'
import { foreignError, foreignProtocol } from '../../../src/base/foreign.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import { AccessKeys } from '../accesskeys.ts'
import type { GatewayDialect } from '../dialect.ts'
import type { Exchange } from '../exchange.ts'
import type { DialectDeps } from '../gateway.ts'
import { Passwords, type Authenticated } from '../passwords.ts'
import { exceptionOf, exceptions, remoteException, RemoteException, type CodeExceptions } from './errors.ts'
import type { Answer, Call, Operation } from './operation.ts'
import { operationOf } from './operations.ts'
import { parseParams, type RequestParams } from './params.ts'
import { decodedPath, secondStep, targetOf } from './paths.ts'
import { ownerOf } from './tokens.ts'

/** The user of a request that names none, as in HDFS: it owns nothing. */
const strangerUser = 'dr.who'

const jsonType = { 'content-type': 'application/json' } as const
const noType = { 'content-type': 'application/octet-stream' } as const

interface WebHdfsDeps extends DialectDeps { readonly clock: Clock }

export class WebHdfs implements GatewayDialect {
  readonly name = 'webhdfs'
  readonly #deps: WebHdfsDeps
  readonly #passwords: Passwords

  constructor(deps: WebHdfsDeps) {
    this.#deps = deps
    const { clock, trust, passwords } = deps
    this.#passwords = new Passwords({ keys: new AccessKeys({ clock, find: deps.accessKey }), passwords, trust })
  }

  async answer(exchange: Exchange): Promise<void> {
    const target = targetOf(exchange.target)
    if (!target && foreignProtocol(exchange) === 'S3') return refuseS3(exchange)
    if (!target)
      throw new RemoteException('FileNotFoundException', 'this is a WebHDFS gateway: the paths of its requests begin with /webhdfs/v1')
    const authenticated = await this.#passwords.userOf(exchange)
    if (!authenticated && !hasToken(target.query)) this.#deps.trust.check(exchange)
    if (exchange.method === 'OPTIONS') return exchange.send(200, { allow: 'OPTIONS,HEAD,DELETE,POST,GET,PUT' })
    const params = parseParams(target.query)
    const caller = await this.#callerOf(exchange, params, authenticated)
    const { user } = caller
    exchange.identify(user, caller.by !== 'nothing')
    const operation = operationOf(exchange.method, params)
    exchange.operation = operation.name
    const path = decodedPath(target.rawPath)
    const origin = (): string => this.#deps.trust.originOf(exchange)
    const location = (): string => secondStep(origin(), target)
    await this.#deps.users.as(user, async mill => {
      const body: Call['body'] = options => exchange.body(options)
      const call: Call = { ...caller, mill, path, params, signal: exchange.signal, body, location, origin }
      try {
        await sendAnswer(exchange, await operation.answer(call), call)
      } catch (error) {
        throw inTermsOf(operation, path, error)
      }
    })
  }

  async refuse(exchange: Exchange, error: GristmillError): Promise<void> {
    const { status, body } = remoteException(error, error instanceof Described ? error.exceptions : undefined)
    const asks = hasCode(error, 'UNAUTHENTICATED') && { 'www-authenticate': 'Basic realm="gristmill"' }
    await exchange.send(status, { ...jsonType, ...asks, ...status === exceptions.RetriableException.status && { 'retry-after': 1 } }, body)
  }

  /** A token goes before a password, as in HDFS; both name their user. */
  async #callerOf(exchange: Exchange, params: RequestParams, authenticated: Authenticated | undefined): Promise<WebHdfsCaller> {
    const { trust, isValidToken } = this.#deps
    if (params.delegation === undefined || params.op?.toUpperCase() === 'GETDELEGATIONTOKEN')
      return authenticated ? { user: ownUser(authenticated, params), by: 'secret' } : this.#believed(exchange, params)
    trust.checkPage(exchange)
    trust.checkHost(exchange)
    trust.checkSecret(exchange)
    const owner = await ownerOf(params.delegation, isValidToken)
    return { user: ownUser({ user: owner, id: owner }, params), by: 'token' }
  }

  /** A proxy that the operator trusts may name another user than its own. */
  #believed(exchange: Exchange, { 'user.name': user, doas }: RequestParams): WebHdfsCaller {
    this.#deps.trust.check(exchange)
    if (doas === undefined || doas === user) return user === undefined ? { user: strangerUser, by: 'nothing' } : { user, by: 'name' }
    if (this.#deps.trust.isProxy(exchange.peer)) return { user: doas, realUser: user, by: 'name' }
    throw new RemoteException('AuthorizationException', `User: ${user ?? strangerUser} is not allowed to impersonate ${doas}`)
  }
}

async function refuseS3(exchange: Exchange): Promise<void> {
  const { type, body } = foreignError('S3',
    'this port of the gateway answers WebHDFS, and the request is one of S3: send it to the port of S3 (--s3 PORT of the gateway)')
  await exchange.send(400, { 'content-type': type }, body)
}

type WebHdfsCaller = Pick<Call, 'user' | 'realUser' | 'by'>

/** Looks for the parameter before any other is read: a request that shows no proof is told so, whatever else is wrong with it. */
const hasToken = (query: string): boolean => /(?:^|&)delegation=[^&]/i.test(query)

/** The user of the access key, whom the request may name too, or by the key's id, and no other. */
function ownUser({ user, id }: Authenticated, { 'user.name': named = user, doas = named }: RequestParams): string {
  for (const name of [named, doas])
    if (name !== user && name !== id)
      throw new RemoteException('AuthorizationException', `User: ${user} is not allowed to impersonate ${name}`)
  return user
}

/** An error with the exceptions of the operation that has failed. */
class Described extends GristmillError {
  readonly exceptions: CodeExceptions

  constructor({ code, details }: GristmillError, message: string, own: CodeExceptions) {
    super(code, message, { details })
    this.exceptions = own
  }
}

/** A missing path is reported in the words of HDFS, in which clients look for it. All other messages are the cluster's own. */
function inTermsOf({ exceptions: own = {}, missing, readsSeveral }: Operation, path: string, error: unknown): unknown {
  if (!(error instanceof GristmillError) || error instanceof RemoteException || error.code === 'ABORTED') return error
  if (exceptionOf(error, own) !== 'FileNotFoundException') return new Described(error, error.message, own)
  const absent = readsSeveral && typeof error.details.path === 'string' ? error.details.path : path
  return new Described(error, missing?.(absent) ?? `File does not exist: ${absent}`, own)
}

async function sendAnswer(exchange: Exchange, answer: Answer, call: Call): Promise<void> {
  switch (answer.kind) {
    case 'json': return exchange.send(200, jsonType, JSON.stringify(answer.value))
    case 'text': return exchange.stream(200, jsonType, answer.chunks)
    case 'empty': return exchange.send(200, noType)
    case 'created': return exchange.send(201,
      { ...noType, location: `webhdfs://${exchange.headers.host ?? ''}${encodeURI(answer.location)}` })
    case 'redirect':
      if (call.params.noredirect) return exchange.send(200, jsonType, JSON.stringify({ Location: call.location() }))
      return exchange.send(307, { ...noType, location: call.location() })
    case 'data': return exchange.stream(200, answer.headers, answer.chunks)
  }
}
