// Batch inference with ONNX models: a model is loaded once in each executor process, gets rows in batches, and its outputs are joined back
// to their rows. The package onnxruntime-node is loaded when it is first used; it has 290 MB, and is installed by those who need it.

import type { Context } from '../program/definition.ts'
import type { Dataset } from '../program/dataset.ts'
import { checkNames, checkNumber, shown } from './row.ts'

/** Value of a row for an input: its numbers in the order of the model's shape, one number, or a text. */
export type OnnxValue = number | bigint | boolean | string | ArrayLike<number>

export interface OnnxOptions<T> {
  /** Asset of the program: a file beside it that is named in its `assets`. */
  readonly model: string
  /** For each input of the model by its name: the value of a row. */
  readonly inputs: Readonly<Record<string, (row: T) => OnnxValue>>
  /** Outputs that are wanted; default: all. Others are not computed. */
  readonly outputs?: readonly string[] | undefined
  /** Rows that the model gets at once; default: 64. */
  readonly batch?: number | undefined
  /** Threads of the model in each executor; default: 1, because each slot of a machine runs an executor of its own. */
  readonly threads?: number | undefined
}

/** Outputs of a row by their names: a number or a text, or an array of all that the output has for the row. */
export type OnnxOutputs = Readonly<Record<string, number | bigint | string | ReadonlyArray<number | bigint | string>>>

/** The part of onnxruntime-node that is used. */
interface Runtime {
  readonly InferenceSession: { create(path: string, options: object): Promise<Session> }
  readonly Tensor: new (type: string, data: unknown, dims: readonly number[]) => Tensor
}
interface Tensor { readonly dims: readonly number[]; readonly data: ArrayLike<number | bigint | string> }
interface Session {
  readonly inputNames: readonly string[]
  readonly outputNames: readonly string[]
  readonly inputMetadata: ReadonlyArray<{ readonly name: string; readonly type?: string; readonly shape?: ReadonlyArray<number | string> }>
  run(feeds: Readonly<Record<string, Tensor>>, fetches: readonly string[]): Promise<Readonly<Record<string, Tensor>>>
}

/** Pairs of each row and the outputs of the model for it, in the order of rows. */
export function onnx<T>(rows: Dataset<T>, options: OnnxOptions<T>): Dataset<[T, OnnxOutputs]> {
  checkNames('onnx', options, ['model', 'inputs', 'outputs', 'batch', 'threads'])
  const { model, inputs, outputs } = options
  if (typeof model !== 'string' || model === '') throw new TypeError("model of onnx is an asset of the program, such as 'model.onnx'")
  const wrong = Object.keys(inputs).find(name => typeof inputs[name] !== 'function')
  if (wrong !== undefined) throw new TypeError(`the input ${wrong} of onnx is a function of a row`)
  const size = checkNumber('batch of onnx', options.batch ?? 64, { min: 1, max: 65_536, isWhole: true })
  const threads = checkNumber('threads of onnx', options.threads ?? 1, { min: 1, max: 256, isWhole: true })
  // Whole batches go on, and are divided by a step that does not wait for each row.
  return rows.mapPartitions(async function * (part, context: Context): AsyncGenerator<Array<[T, OnnxOutputs]>> {
    const tell = teller(context, model)
    tell('task', () => 'is loaded')
    const scorer = new Scorer<T>(await loaded(context.asset(model), threads), { model, inputs, outputs })
    const applied = (): string => 'is applied by the task'
    tell('task', applied)
    let batch: T[] = []
    let count = 0
    const score = async (): Promise<Array<[T, OnnxOutputs]>> => {
      count++
      tell('batch', () => `has been given batch ${count} of the task, rows from ${shown(batch[0])} on`)
      const scored = await scorer.score(batch)
      tell('batch', applied)
      batch = []
      return scored
    }
    for await (const row of part) {
      batch.push(row)
      if (batch.length === size) yield await score()
    }
    if (batch.length > 0) yield await score()
  }).flatMap(scored => scored)
}

type Tell = (of: 'task' | 'batch', text: () => string) => void

/** Method of a context of an executor (datanode/executor/context.ts). */
const doing = Symbol.for('gristmill.doing')

/** Tells what becomes of the model, for the message of a process that it crashes. */
function teller(context: Context, model: string): Tell {
  const told = (context as { [doing]?: Tell })[doing]
  return (of, text) => told?.(of, () => `the model ${model} ${text()}`)
}

interface Loaded { readonly runtime: Runtime; readonly session: Session }

/** Models of this process: programs of one executor have a module each, and share them. */
const registry = Symbol.for('gristmill.onnx')

function loaded(path: string, threads: number): Promise<Loaded> {
  const all = ((globalThis as { [registry]?: Map<string, Promise<Loaded>> })[registry] ??= new Map<string, Promise<Loaded>>())
  const key = `${threads} ${path}`
  const known = all.get(key)
  if (known) return known
  const loading = load(path, threads)
  all.set(key, loading)
  loading.catch(() => all.delete(key))
  return loading
}

async function load(path: string, threads: number): Promise<Loaded> {
  const runtime = runtimeBeside(process.argv[1] ?? '/')
  try {
    const session = await runtime.InferenceSession.create(path, {
      executionProviders: ['cpu'], intraOpNumThreads: threads, interOpNumThreads: 1, executionMode: 'sequential', logSeverityLevel: 3,
    })
    return { runtime, session }
  } catch (error) {
    throw new TypeError(`the model ${path.split('/').at(-1)} cannot be loaded: ${(error as Error).message}`, { cause: error })
  }
}

/** The package as it is installed for the program of this process: gristmill itself. */
function runtimeBeside(main: string): Runtime {
  try {
    return process.getBuiltinModule('node:module').createRequire(main)('onnxruntime-node') as Runtime
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'MODULE_NOT_FOUND') throw error
    throw new TypeError(
      'ONNX models need the package onnxruntime-node on each machine that runs tasks: npm install onnxruntime-node, where gristmill ' +
      'is installed',
      { cause: error },
    )
  }
}

/** Typed arrays of tensors. */
const arrays: Readonly<Record<string, (size: number) => { [i: number]: unknown; readonly length: number }>> = {
  float32: size => new Float32Array(size), float64: size => new Float64Array(size), int8: size => new Int8Array(size),
  uint8: size => new Uint8Array(size), bool: size => new Uint8Array(size), int16: size => new Int16Array(size),
  uint16: size => new Uint16Array(size), int32: size => new Int32Array(size), uint32: size => new Uint32Array(size),
  int64: size => new BigInt64Array(size), uint64: size => new BigUint64Array(size), string: size => new Array<string>(size).fill(''),
}

interface Input<T> {
  readonly name: string
  readonly of: (row: T) => OnnxValue
  readonly type: string
  /** Sizes for a row; texts where the model leaves them open. */
  readonly shape: ReadonlyArray<number | string>
}

/** A finite number that is too large for the floating-point type: it has become infinite. */
const isLost = (value: unknown, kept: unknown): boolean => Number.isFinite(value) && !Number.isFinite(kept)

function slice<V>(data: ArrayLike<V>, from: number, count: number): V[] {
  const part: V[] = []
  for (let i = 0; i < count; i++) part.push(data[from + i]!)
  return part
}

class Scorer<T> {
  readonly #loaded: Loaded
  readonly #model: string
  readonly #inputs: ReadonlyArray<Input<T>>
  readonly #outputs: readonly string[]
  /** Those that are computed. */
  #asked: readonly string[]

  /** Throws for inputs and outputs that are not the model's. */
  constructor(loaded: Loaded, { model, inputs, outputs }: Pick<OnnxOptions<T>, 'model' | 'inputs' | 'outputs'>) {
    const { session } = loaded
    this.#loaded = loaded
    this.#model = model
    const described = session.inputMetadata.map(({ name, type, shape }) => `${name} (${type} ${JSON.stringify(shape)})`).join(', ')
    const missing = session.inputNames.find(name => !Object.hasOwn(inputs, name))
    if (missing !== undefined)
      throw new TypeError(`the model ${model} has the input ${missing}, which onnx was not given; its inputs are ${described}`)
    const unknown = Object.keys(inputs).find(name => !session.inputNames.includes(name))
    if (unknown !== undefined) throw new TypeError(`the model ${model} has no input ${unknown}; its inputs are ${described}`)
    const other = outputs?.find(name => !session.outputNames.includes(name))
    if (other !== undefined)
      throw new TypeError(`the model ${model} has no output ${other}; its outputs are ${session.outputNames.join(', ')}`)
    this.#inputs = session.inputMetadata.map(({ name, type = 'float32', shape = [] }) =>
      ({ name, of: inputs[name]!, type, shape: shape.slice(1) }))
    this.#outputs = outputs ?? session.outputNames
    this.#asked = this.#outputs
  }

  async score(batch: readonly T[]): Promise<Array<[T, OnnxOutputs]>> {
    const feeds = Object.fromEntries(this.#inputs.map(input => [input.name, this.#tensor(batch, input)]))
    const { session } = this.#loaded
    let found = await session.run(feeds, this.#asked)
    // Version 1.23.2 names outputs by their places among all, so that a part of them has others' names.
    if (this.#outputs.some(name => !Object.hasOwn(found, name))) {
      this.#asked = session.outputNames
      found = await session.run(feeds, this.#asked)
    }
    const columns = this.#outputs.map(name => {
      const { data, dims } = found[name]!
      if (dims[0] !== batch.length) {
        const shape = JSON.stringify(dims)
        throw new TypeError(`the output ${name} of ${this.#model} has the shape ${shape}, which are not ${batch.length} rows`)
      }
      return [name, data, data.length / batch.length, dims.length === 1 || (dims.length === 2 && dims[1] === 1)] as const
    })
    return batch.map((row, i): [T, OnnxOutputs] => {
      const outputs: Record<string, number | bigint | string | Array<number | bigint | string>> = {}
      for (const [name, data, width, isOne] of columns) outputs[name] = isOne ? data[i]! : slice(data, i * width, width)
      return [row, outputs]
    })
  }

  #tensor(batch: readonly T[], { name, of, type, shape }: Input<T>): Tensor {
    const values = batch.map(row => {
      const value = of(row)
      return typeof value === 'object' ? value as ArrayLike<unknown> : [value]
    })
    const width = values[0]!.length
    const open = shape.filter(size => typeof size !== 'number' || size < 0).length
    const known = shape.reduce<number>((product, size) => (typeof size === 'number' && size >= 0 ? product * size : product), 1)
    const make = arrays[type]
    if (!make) throw new TypeError(`the input ${name} of ${this.#model} has the type ${type}, which onnx does not know`)
    const data = make(width * batch.length)
    const isFloat = type.startsWith('float')
    for (const [i, value] of values.entries()) {
      if (value.length !== width || (open === 0 ? width !== known : width % known !== 0))
        throw this.#misfit(name, `has ${value.length} numbers, and the model wants ${open === 0 ? known : JSON.stringify(shape)}`, batch[i])
      for (let k = 0; k < width; k++) {
        const each = value[k]
        const fitting = isFloat && typeof each === 'number' ? each : this.#fitting(each, { name, type, row: batch[i]! })
        data[i * width + k] = fitting
        if (isFloat ? isLost(fitting, data[i * width + k]) : data[i * width + k] !== fitting)
          throw this.#misfit(name, `holds ${String(each)}, which is out of the range of ${type}`, batch[i])
      }
    }
    const dims = open <= 1 ? shape.map(size => (typeof size === 'number' && size >= 0 ? size : width / known)) : [width]
    return new this.#loaded.runtime.Tensor(type, data, [batch.length, ...dims])
  }

  #fitting(value: unknown, { name, type, row }: { readonly name: string; readonly type: string; readonly row: T }): unknown {
    if (type === 'string') {
      if (typeof value === 'string') return value
    } else if (type === 'int64' || type === 'uint64') {
      if (typeof value === 'bigint') return value
      if (Number.isSafeInteger(value)) return BigInt(value as number)
    } else if (typeof value === 'boolean') return Number(value)
    // A floating-point input may hold NaN: models take it for a missing value.
    else if (typeof value === 'number' && (type.startsWith('float') || Number.isInteger(value))) return value
    throw this.#misfit(name, `holds ${String(value)}, and the model wants ${type}`, row)
  }

  #misfit(name: string, what: string, row: unknown): TypeError {
    return new TypeError(`the input ${name} of ${this.#model} ${what}, for the row ${shown(row)}`)
  }
}
