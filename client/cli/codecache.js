// Loads the files of the bundle with the code that V8 compiled in an earlier process. Node's own compile cache keeps what a file compiles
// when it is loaded, not the functions compiled at their first call: parsing those was 40 % of the CPU time of a command (0.35 s, now
// 0.2 s). Written without types: the bin runs it as it is.
//
// One file per kind of process, because they call different functions: each server, and all commands together. It is made by the first
// process of its kind, at its exit or after 10 s, and again by one that loads a file of the bundle that it does not have. Its name contains
// the version and flags of V8. Invariant: code is used only for the bytes that it was compiled from, and only whole: both have checksums,
// since V8 checks no more than the length of a source. Whatever fails, the bundle is compiled and runs without.

// Builtins come from `process.getBuiltinModule`: for an `import` of one, Node makes a module with all its exports, and loads what their
// getters load, such as the streams of node:fs.

const { isAscii } = process.getBuiltinModule('node:buffer')
const { existsSync, readFileSync, renameSync, rmSync, writeFileSync } = process.getBuiltinModule('node:fs')
const { createRequire } = process.getBuiltinModule('node:module')
const { basename, dirname, join } = process.getBuiltinModule('node:path')
const { cachedDataVersionTag, setFlagsFromString } = process.getBuiltinModule('node:v8')
const { constants, Script } = process.getBuiltinModule('node:vm')
const { crc32 } = process.getBuiltinModule('node:zlib')

const servers = new Set(['namenode', 'datanode', 'gateway', 'serve'])
/** By then a server has called what it calls at its start. V8 drops compiled code that has not been called for some time. */
const writtenMs = 10_000
const head = '(function (exports, require, module, __filename, __dirname) {'

/** Flags that a process of this kind sets later (src/world/v8heap.ts): V8 takes only code that was compiled with the flags of now. */
const flags = { namenode: '--semi-space-growth-factor=1' }

/** Exports of `file` of the bundle. `words`: arguments of the command line. */
export function loadCached(file, directory, words) {
  const bundle = dirname(file)
  const kind = servers.has(words[0]) ? words[0] : 'command'
  if (kind in flags) setFlagsFromString(flags[kind])
  const stored = new Stored(join(directory, `code-${kind}-${cachedDataVersionTag()}`))
  const scripts = new Map()
  const modules = new Map()
  const outside = createRequire(file)
  const isOwn = id => id.startsWith('./') && id.endsWith('.cjs') && basename(id) === id.slice(2)
  const requireOwn = id => isOwn(id) ? load(id.slice(2)) : outside(id)
  const require = Object.assign(requireOwn, { resolve: outside.resolve, cache: outside.cache, main: outside.main })

  function load(name) {
    const known = modules.get(name)
    if (known) return known.exports
    const path = join(bundle, name)
    const source = readFileSync(path)
    const crc = crc32(source)
    const script = scriptOf(path, source.toString(isAscii(source) ? 'latin1' : 'utf8'), stored.codeOf(name, crc))
    scripts.set(name, { crc, script })
    const module = { exports: {}, id: path, filename: path, loaded: false }
    modules.set(name, module)
    try {
      script.runInThisContext()(module.exports, require, module, path, bundle)
    } catch (error) {
      modules.delete(name)
      throw error
    }
    module.loaded = true
    return module.exports
  }

  ignoreWarning()
  // Help and the version call too little to be worth keeping.
  if (words.length > 0 && !words.some(word => /^(-h|--help|--version|help)$/.test(word))) keep(stored, scripts)
  return load(basename(file))
}

/** Node warns at the first import() of such a script that the option is experimental. Without it, a script cannot call import(). */
function ignoreWarning() {
  const warn = process.emitWarning
  process.emitWarning = (warning, ...rest) => {
    if (String(warning).startsWith('vm.USE_MAIN_CONTEXT_DEFAULT_LOADER ')) process.emitWarning = warn // Node gives it once
    else warn(warning, ...rest)
  }
}

function scriptOf(path, source, cachedData) {
  return new Script(`${head}${source}\n})`, {
    filename: path, columnOffset: -head.length, cachedData, importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  })
}

/** Writes the code once: at the exit, or earlier. */
function keep(stored, scripts) {
  const write = () => {
    clearTimeout(timer)
    process.off('exit', write)
    if ([...scripts].some(([name, { script }]) => !stored.has(name) || script.cachedDataRejected)) stored.write(scripts)
  }
  const timer = setTimeout(write, writtenMs)
  timer.unref()
  process.once('exit', write)
}

/** File of compiled code: length of the index, checksum of what follows; the index as JSON; code of each file at its offset. */
class Stored {
  #path
  #entries = new Map()

  constructor(path) {
    this.#path = path
    if (!existsSync(path)) return
    try {
      const bytes = readFileSync(path)
      if (crc32(bytes.subarray(8)) !== bytes.readUInt32LE(4)) return
      const start = bytes.readUInt32LE(0)
      for (const [name, crc, at, length] of JSON.parse(bytes.toString('utf8', 8, start)))
        this.#entries.set(name, { crc, code: bytes.subarray(start + at, start + at + length) })
    } catch (error) {
      void error // it cannot be read, or is no such file: it is made again
    }
  }

  has(name) { return this.#entries.has(name) }

  codeOf(name, crc) {
    const entry = this.#entries.get(name)
    if (entry !== undefined && entry.crc !== crc) this.#entries.delete(name)
    return entry !== undefined && entry.crc === crc ? entry.code : undefined
  }

  /** Code of the loaded files, and what was stored of the others. */
  write(scripts) {
    const made = `${this.#path}.${process.pid}`
    try {
      for (const [name, { crc, script }] of scripts) this.#entries.set(name, { crc, code: script.createCachedData() })
      const index = []
      let at = 0
      for (const [name, { crc, code }] of this.#entries) {
        index.push([name, crc, at, code.length])
        at += aligned(code.length)
      }
      const text = Buffer.from(JSON.stringify(index))
      const start = aligned(8 + text.length)
      const bytes = Buffer.alloc(start + at, ' ')
      bytes.writeUInt32LE(start, 0)
      text.copy(bytes, 8)
      let i = 0
      for (const { code } of this.#entries.values()) code.copy(bytes, start + index[i++][2])
      bytes.writeUInt32LE(crc32(bytes.subarray(8)), 4)
      // A server has run for seconds: the directory may have been removed. It is not made again: its owner may be removing it now.
      if (!existsSync(dirname(this.#path))) return
      writeFileSync(made, bytes, { mode: 0o600 })
      renameSync(made, this.#path)
    } catch (error) {
      void error // a full disk, a directory of another user: the next start is no faster
      rmSync(made, { force: true })
    }
  }
}

/** V8 reads code at addresses that are multiples of 8. */
const aligned = length => Math.ceil(length / 8) * 8
