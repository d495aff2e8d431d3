package terminal

import (
	"strings"
	"unicode/utf8"
)

// column is a column of a table; when the table is too wide, those of the highest drop go first. 0 always stays.
type column struct {
	head string
	drop int
}

// cell is a text and its SGR code.
type cell struct{ text, code string }

type table struct {
	columns []column
	rows    [][]cell
}

// lines lays the table out in at most width columns: the first column to the left, the others to the right.
func (t *table) lines(s style, width int) []string {
	widths := make([]int, len(t.columns))
	for i, c := range t.columns {
		widths[i] = utf8.RuneCountInString(c.head)
		for _, row := range t.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i].text))
		}
	}
	shown := t.fit(widths, width)
	head := make([]cell, len(t.columns))
	for i, c := range t.columns {
		head[i] = cell{c.head, dim}
	}
	lines := []string{t.line(s, head, widths, shown)}
	for _, row := range t.rows {
		lines = append(lines, t.line(s, row, widths, shown))
	}
	return lines
}

// fit chooses the columns to show.
func (t *table) fit(widths []int, width int) []bool {
	shown := make([]bool, len(widths))
	total := 0
	for i, w := range widths {
		shown[i] = true
		total += w + 2
	}
	for total > width {
		worst := -1
		for i, c := range t.columns {
			if shown[i] && c.drop > 0 && (worst < 0 || c.drop > t.columns[worst].drop) {
				worst = i
			}
		}
		if worst < 0 {
			break
		}
		shown[worst] = false
		total -= widths[worst] + 2
	}
	return shown
}

func (t *table) line(s style, row []cell, widths []int, shown []bool) string {
	var b strings.Builder
	for i, c := range row {
		if !shown[i] {
			continue
		}
		space := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c.text))
		b.WriteString("  ")
		if i == 0 {
			b.WriteString(s.as(c.code, c.text) + space)
		} else {
			b.WriteString(space + s.as(c.code, c.text))
		}
	}
	return strings.TrimRight(b.String(), " ")
}
