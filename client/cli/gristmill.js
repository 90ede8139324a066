#!/usr/bin/env node
// The bin. Written in the oldest JavaScript that any Node still runs, so that one that is too old says so in a line
// instead of failing on syntax. All it does is look at the version and load the program: main.ts in a checkout,
// main.js in an installed package (Node refuses to strip types below node_modules).

/* global process, console, URL */
var wanted = 24
var found = process.versions.node

function load() {
  var fs = process.getBuiltinModule('node:fs')
  var inCheckout = fs.existsSync(new URL('./main.ts', import.meta.url))
  keepCompiled(fs, inCheckout)
  import(inCheckout ? './main.ts' : './main.js').then(
    function (program) { return program.main() }
  ).catch(function (error) {
    console.error('gristmill: cannot start: ' + (error && error.stack || error))
    process.exitCode = 70
  })
}

// Compiled code is kept, so that a command starts in half the time: a checkout's beside its packages, an installed
// package's below the home, where nobody else can write. If that cannot be done, starting is only slower.
function keepCompiled(fs, inCheckout) {
  try {
    fs.mkdirSync(cacheOf(inCheckout), { recursive: true, mode: 448 /* 0700 */ })
    process.getBuiltinModule('node:module').enableCompileCache(cacheOf(inCheckout))
  } catch (error) {
    void error
  }
}

function cacheOf(inCheckout) {
  if (process.env.NODE_COMPILE_CACHE) return process.env.NODE_COMPILE_CACHE
  var path = process.getBuiltinModule('node:path')
  if (inCheckout) return path.join(import.meta.dirname, '../../node_modules/.cache/gristmill')
  return path.join(process.env.GRISTMILL_HOME || path.join(process.getBuiltinModule('node:os').homedir(), '.gristmill'), 'cache')
}

if (parseInt(found, 10) < wanted) {
  console.error('gristmill: needs Node ' + wanted + ' or newer, this is ' + found + ' (' + process.execPath + '); start it with npx, or install a newer Node')
  process.exitCode = 1
} else {
  load()
}
