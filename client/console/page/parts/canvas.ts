// Drawings on a canvas that is as wide as the box around it: drawn again when their data, the width or the theme change.

import { useEffect, useRef, useState } from 'preact/hooks'

export interface Drawing {
  readonly pen: CanvasRenderingContext2D
  readonly width: number
  readonly height: number
  /** A colour of the theme, by its name in the styles. */
  readonly color: (name: string) => string
}

interface DrawingPlan {
  readonly height: number
  /** Kept from one time to the next while it draws the same. */
  readonly draw: (drawing: Drawing) => void
}

const widthMin = 320
const darkTheme = '(prefers-color-scheme: dark)'

/** The canvas may be missing while there is nothing to draw. */
export function useDrawing({ height, draw }: DrawingPlan) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const [width, setWidth] = useState(900)
  const [dark, setDark] = useState(matchMedia(darkTheme).matches)
  const isShown = height > 0
  useEffect(() => {
    const box = canvas.current?.parentElement
    if (!box) return
    const observer = new ResizeObserver(() => setWidth(Math.max(widthMin, box.clientWidth)))
    observer.observe(box)
    const theme = matchMedia(darkTheme)
    const turn = (): void => setDark(theme.matches)
    theme.addEventListener('change', turn)
    return () => {
      observer.disconnect()
      theme.removeEventListener('change', turn)
    }
  }, [isShown])
  useEffect(() => {
    if (canvas.current) begin(canvas.current, width, height, draw)
  }, [draw, width, height, dark])
  return { canvas, width }
}

function begin(canvas: HTMLCanvasElement, width: number, height: number, draw: DrawingPlan['draw']): void {
  const style = getComputedStyle(canvas)
  const scale = devicePixelRatio || 1
  canvas.width = width * scale
  canvas.height = height * scale
  const pen = canvas.getContext('2d')!
  pen.scale(scale, scale)
  pen.font = `12px ${style.fontFamily}`
  draw({ pen, width, height, color: name => style.getPropertyValue(name) })
}
