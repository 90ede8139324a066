// Compiles validators and serialisers on first use of a message. A server has about fifty routes, and a process that lives for one
// command uses three of them: compiling all took as long as all its other work. Servers of one process (an embedded cluster has
// several, a simulation hundreds) share the compiled functions: all compile with the same options.

import ajvCompiler from '@fastify/ajv-compiler'
import jsonCompiler from '@fastify/fast-json-stringify-compiler'
import type { FastifyServerOptions } from 'fastify'

type Factories = NonNullable<NonNullable<FastifyServerOptions['schemaController']>['compilersFactory']>
type Route = { readonly schema: object }
type Validate = ((data: unknown) => unknown) & { errors?: unknown }
type Serialize = (data: unknown) => string
type Build<C> = (...options: unknown[]) => (route: Route) => C

const validates = new WeakMap<object, Validate>()
const serializes = new WeakMap<object, Serialize>()

function compiledOf<C>(known: WeakMap<object, C>, compile: (route: Route) => C, route: Route): C {
  let compiled = known.get(route.schema)
  if (!compiled) known.set(route.schema, compiled = compile(route))
  return compiled
}

export function lazyCompilers(): Factories {
  const [buildValidator, buildSerializer] = [ajvCompiler() as unknown as Build<Validate>, jsonCompiler() as unknown as Build<Serialize>]
  return {
    buildValidator(...options: unknown[]) {
      const compile = buildValidator(...options)
      return (route: Route) => {
        let compiled: Validate | undefined
        const validate: Validate = data => {
          compiled ??= compiledOf(validates, compile, route)
          const answer = compiled(data)
          // fastify reads the errors from the function that it was given.
          validate.errors = compiled.errors
          return answer
        }
        return validate
      }
    },
    buildSerializer(...options: unknown[]) {
      const compile = buildSerializer(...options)
      return (route: Route) => {
        let compiled: Serialize | undefined
        return (data: unknown) => (compiled ??= compiledOf(serializes, compile, route))(data)
      }
    },
  } as unknown as Factories
}
