// Reads the XML documents of requests: elements and their text, without attributes. A client chooses what it sends, and other requests
// wait while a document is read: every measure of it is bounded, and a text is decoded only when the operation asks for it.
// INVARIANT: the work grows with the length of the document alone. There is no document type, and so there are no entities to expand.

import { S3Error } from './errors.ts'

/** An element. Text beside child elements is left out. */
export interface Element {
  readonly name: string
  readonly children: Element[]
  /** Text as it was sent; a CDATA section stands apart. */
  readonly text: Array<{ readonly raw: string; readonly isPlain: boolean }>
}

interface ReadOptions {
  /** Elements of the largest document that the operation takes. */
  readonly elementsMax: number
}

const depthMax = 10
/** Namespaces and little else: the attributes of an element are skipped one by one. */
const attributesMax = 10
/** A key of 1,024 bytes has at most six characters for each, `&quot;`. */
const textCharsMax = 16 * 1024
/** Pieces of one text, between comments and CDATA sections. */
const textPiecesMax = 1000

const malformed = (why: string): S3Error =>
  new S3Error('MalformedXML', `The XML you provided was not well-formed or did not validate against our published schema: ${why}`)

const nameForm = /[A-Za-z_][\w.:-]*/y
const attributeForm = /\s+[A-Za-z_][\w.:-]*\s*=\s*(?:"[^"<]*"|'[^'<]*')/y
const tagEnd = /\s*(\/?)>/y

/** The root of a document, which has this name. Throws MalformedXML. REQUIRES: some thousand elements at most. */
export function parse(document: string, root: string, options: ReadOptions): Element {
  const slices = slicesOf(document, root, options)
  for (;;) {
    const { done, value } = slices.next()
    if (done) return value
  }
}

/** As `parse`, for a long document: `pause` is awaited between pieces of some milliseconds. */
export async function parseInSlices(document: string, root: string, options: ReadOptions, pause: () => Promise<void>): Promise<Element> {
  const slices = slicesOf(document, root, options)
  for (;;) {
    const { done, value } = slices.next()
    if (done) return value
    await pause()
  }
}

/** Elements, comments and sections of a piece: 10 ms at most of a program that is not compiled yet. */
const sliceMarks = 2000

function* slicesOf(document: string, root: string, { elementsMax }: ReadOptions): Generator<undefined, Element> {
  const top: Element = { name: '', children: [], text: [] }
  const open = [top]
  let elements = 0
  let marks = 0
  // A mark of the byte order is no text.
  for (let at = document.startsWith('\ufeff') ? 1 : 0; at < document.length;) {
    const inside = open.at(-1)!
    const mark = document.indexOf('<', at)
    const end = mark < 0 ? document.length : mark
    if (end > at) addText(inside, document.slice(at, end), inside === top)
    if (mark < 0) break
    const skipped = skip(document, mark, inside, inside === top)
    if (skipped !== undefined) {
      at = skipped
      if (++marks % sliceMarks === 0) yield
    } else if (document[mark + 1] === '/') {
      at = closing(document, mark, inside)
      open.pop()
    } else {
      if (++elements > elementsMax || open.length > depthMax) throw malformed('it has more elements than the operation takes')
      if (inside === top && top.children.length > 0) throw malformed('it has more than one root')
      const { element, isEmpty, next } = opening(document, mark)
      inside.children.push(element)
      if (!isEmpty) open.push(element)
      at = next
      if (++marks % sliceMarks === 0) yield
    }
  }
  if (open.length > 1) throw malformed(`the element ${open.at(-1)!.name} does not end`)
  const [found] = top.children
  if (found?.name !== root) throw malformed(`its root is not ${root}`)
  return found
}

function addText({ text, children }: Element, raw: string, isOutside: boolean): void {
  if (!isOutside) {
    if (children.length === 0) text.push({ raw, isPlain: true })
  } else if (raw.trim() !== '') throw malformed('it has text outside of its root')
}

/** Place behind a comment, a processing instruction or a CDATA section; undefined for an element. */
function skip(document: string, mark: number, inside: Element, isOutside: boolean): number | undefined {
  const behind = (start: string, end: string): number | undefined => {
    if (!document.startsWith(start, mark)) return undefined
    const found = document.indexOf(end, mark + start.length)
    if (found < 0) throw malformed(`${start} does not end`)
    return found + end.length
  }
  const cdata = behind('<![CDATA[', ']]>')
  if (cdata !== undefined) {
    if (isOutside) throw malformed('it has text outside of its root')
    inside.text.push({ raw: document.slice(mark + 9, cdata - 3), isPlain: false })
    return cdata
  }
  const other = behind('<!--', '-->') ?? behind('<?', '?>')
  if (other === undefined && document[mark + 1] === '!') throw malformed('it has a document type')
  return other
}

function nameAt(document: string, at: number): { readonly name: string; readonly next: number } {
  nameForm.lastIndex = at
  const found = nameForm.exec(document)?.[0]
  if (found === undefined) throw malformed('an element has no name')
  return { name: found, next: at + found.length }
}

/** Names are compared without the prefix of a namespace: clients choose it. */
const bare = (name: string): string => name.slice(name.lastIndexOf(':') + 1)

function opening(document: string, mark: number): { readonly element: Element; readonly isEmpty: boolean; readonly next: number } {
  const { name, next } = nameAt(document, mark + 1)
  let at = next
  for (let attributes = 0; ; attributes++) {
    attributeForm.lastIndex = at
    const found = attributeForm.exec(document)
    if (!found) break
    if (attributes === attributesMax) throw malformed(`the element ${bare(name)} has too many attributes`)
    at += found[0].length
  }
  tagEnd.lastIndex = at
  const end = tagEnd.exec(document)
  if (!end) throw malformed(`the tag of the element ${bare(name)} is malformed`)
  return { element: { name: bare(name), children: [], text: [] }, isEmpty: end[1] === '/', next: at + end[0].length }
}

function closing(document: string, mark: number, inside: Element): number {
  const { name, next } = nameAt(document, mark + 2)
  tagEnd.lastIndex = next
  const end = tagEnd.exec(document)
  if (!end || end[1] !== '' || bare(name) !== inside.name) throw malformed(`the element ${inside.name} does not end as it begins`)
  return next + end[0].length
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: '\'' }
const reference = /&(?:#x([0-9a-fA-F]{1,6})|#(\d{1,7})|(amp|lt|gt|quot|apos));|&/g

function decoded(raw: string): string {
  // Line ends as XML has them; a carriage return of a key is sent as a reference.
  return raw.replaceAll(/\r\n?/g, '\n').replaceAll(reference, (_, hex?: string, decimal?: string, name?: string) => {
    if (name !== undefined) return entities[name]!
    const code = hex !== undefined ? Number.parseInt(hex, 16) : Number(decimal)
    if (Number.isNaN(code) || code > 0x10ffff) throw malformed('it has a reference to a character that does not exist')
    return String.fromCodePoint(code)
  })
}

const rawChars = ({ text }: Element): number => text.reduce((sum, { raw }) => sum + raw.length, 0)

/** Characters that the texts of the children of an element have as they were sent: the work to read them. */
export const charsIn = ({ children }: Element): number => children.reduce((sum, child) => sum + child.text.length + rawChars(child), 0)

/** Text of the first element of this name; undefined if there is none. Throws MalformedXML. */
export function textOf(element: Element | undefined, name: string): string | undefined {
  const found = element?.children.find(each => each.name === name)
  if (!found) return undefined
  if (found.text.length > textPiecesMax || rawChars(found) > textCharsMax) throw malformed(`the text of ${name} is too long`)
  return found.text.map(({ raw, isPlain }) => (isPlain ? decoded(raw) : raw)).join('')
}

/** Texts of the children of one name, in order. */
export const textsOf = (element: Element, name: string): string[] =>
  elementsOf(element, name).map(child => textOf({ name: '', children: [child], text: [] }, name) ?? '')

export const elementsOf = (element: Element | undefined, name: string): readonly Element[] =>
  element?.children.filter(each => each.name === name) ?? []
