// Validators and serialisers of messages. A server has about fifty routes, and a process that lives for one command uses three of them. So
// the first messages of each schema are checked and written without compiling it (src/protocol/check.ts, interpreted.ts); it is compiled
// when more come, or one that does not fit: only the compiled validator says why. Servers of one process (an embedded cluster has several,
// a simulation hundreds) share the counts and the compiled functions: all compile with the same options.

import ajvCompiler from '@fastify/ajv-compiler'
import jsonCompiler from '@fastify/fast-json-stringify-compiler'
import type { FastifyServerOptions } from 'fastify'
import { fits } from '../protocol/check.ts'
import type { TSchema } from '../protocol/schema.ts'
import { isPlain, textOf } from './interpreted.ts'

type Factories = NonNullable<NonNullable<FastifyServerOptions['schemaController']>['compilersFactory']>
type Route = { readonly schema: object }
type Validate = ((data: unknown) => unknown) & { errors?: unknown }
type Serialize = (data: unknown) => string
type Build<C> = (...options: unknown[]) => (route: Route) => C

/** Messages of a schema that are not worth its compilation: that takes 5 to 20 ms, and an interpreted message some microseconds more. */
const interpretedMax = 16
/** A longer text counts as several messages: a page of a list has 300 KB, whose interpretation costs 10 ms. */
const interpretedChars = 4096

/** What servers know of a schema together. */
interface Known<C> {
  compiled: C | undefined
  /** Messages that may still be interpreted. */
  left: number
}

const validates = new WeakMap<object, Known<Validate>>()
const serializes = new WeakMap<object, Known<Serialize>>()

function knownOf<C>(all: WeakMap<object, Known<C>>, schema: object): Known<C> {
  let known = all.get(schema)
  if (!known) all.set(schema, known = { compiled: undefined, left: isPlain(schema) ? interpretedMax : 0 })
  return known
}

export function lazyCompilers(): Factories {
  return {
    buildValidator(...options: unknown[]) {
      let compile: ((route: Route) => Validate) | undefined
      return (route: Route) => {
        const known = knownOf(validates, route.schema)
        const validate: Validate = data => {
          if (known.left > 0 && fits(route.schema as TSchema, data)) {
            known.left--
            return true
          }
          known.left = 0
          compile ??= (ajvCompiler() as unknown as Build<Validate>)(...options)
          const compiled = known.compiled ??= compile(route)
          const answer = compiled(data)
          // fastify reads the errors from the function that it was given.
          validate.errors = compiled.errors
          return answer
        }
        return validate
      }
    },
    buildSerializer(...options: unknown[]) {
      let compile: ((route: Route) => Serialize) | undefined
      return (route: Route) => {
        const known = knownOf(serializes, route.schema)
        return (data: unknown) => {
          const text = known.left > 0 ? textOf(route.schema, data) : undefined
          known.left = text === undefined ? 0 : known.left - 1 - Math.floor(text.length / interpretedChars)
          if (text !== undefined) return text
          compile ??= (jsonCompiler() as unknown as Build<Serialize>)(...options)
          return (known.compiled ??= compile(route))(data)
        }
      }
    },
  } as unknown as Factories
}
