package plot

import (
	"cmp"
	"fmt"
	"math"
	"strings"
)

// Levels is the number of shades of a heat map.
const Levels = 7

// Heat is a grid of counts: columns over time, rows over a logarithmic scale, row 0 at the bottom.
type Heat struct {
	Columns, Rows int
	Span          float64 // length of the columns together, as a share of the chart's; 0: the whole
	scale         Scale
	counts        []float64
}

// NewHeat makes an empty grid over scale.
func NewHeat(columns, rows int, scale Scale) *Heat {
	return &Heat{Columns: columns, Rows: rows, scale: scale, counts: make([]float64, columns*rows)}
}

// Add counts n in a column, spread over the values from low to high.
func (h *Heat) Add(column int, low, high, n float64) {
	from, to := h.scale.At(low)*float64(h.Rows), h.scale.At(high)*float64(h.Rows)
	if column < 0 || column >= h.Columns || !(n > 0) || math.IsNaN(from+to) {
		return
	}
	first := min(int(from), h.Rows-1)
	last := min(int(math.Ceil(to))-1, h.Rows-1)
	if last <= first || to <= from {
		h.counts[column*h.Rows+first] += n
		return
	}
	for row := first; row <= last; row++ {
		part := (math.Min(to, float64(row+1)) - math.Max(from, float64(row))) / (to - from)
		h.counts[column*h.Rows+row] += n * part
	}
}

// draw groups the cells of a shade into one path of horizontal strokes; neighbours in time share a stroke.
func (h *Heat) draw(b *strings.Builder, height int) {
	highest := 0.0
	for _, n := range h.counts {
		highest = max(highest, n)
	}
	if highest == 0 {
		return
	}
	fmt.Fprintf(b, `<g transform="scale(%s %s)translate(0 .5)">`,
		number(width*cmp.Or(h.Span, 1)/float64(h.Columns), 4), number(float64(height)/float64(h.Rows), 4))
	for level := 1; level <= Levels; level++ {
		var d strings.Builder
		for row := range h.Rows {
			for column := 0; column < h.Columns; {
				n := 0
				for column+n < h.Columns && shade(h.counts[(column+n)*h.Rows+row], highest) == level {
					n++
				}
				if n > 0 {
					fmt.Fprintf(&d, "M%d %dh%d", column, h.Rows-1-row, n)
				}
				column += max(n, 1)
			}
		}
		if d.Len() > 0 {
			fmt.Fprintf(b, `<path class="heat h%d" d="%s"/>`, level, d.String())
		}
	}
	b.WriteString(`</g>`)
}

// shade is 0 (nothing) to Levels. It follows the logarithm, so that the rare slow operation is seen beside thousands.
func shade(n, highest float64) int {
	if n < .05 {
		return 0
	}
	share := math.Log1p(n) / math.Log1p(highest)
	return max(1, min(Levels, int(math.Ceil(share*Levels))))
}
