package plot

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strconv"
	"strings"
	"unicode"

	"gouv.tg/messagerie/loadtest/report/internal/format"
)

// Line is a curve over time. Value i is drawn at From + (i+½)·Step seconds; NaN leaves a gap.
type Line struct {
	Name   string
	Class  string // of the style sheet: colour, dash, width
	From   float64
	Step   float64
	Values []float64
	Area   bool // also fill below
}

// Chart is one plot over time.
type Chart struct {
	ID          string // unique on the page
	Title       string
	Description string  // what it shows, for those who do not see it
	From, To    float64 // seconds of the run's time
	WarmUp      float64 // end of the warm-up, which is shaded
	End         float64 // of the run; what lies after it is shaded. 0: To
	Scale       Scale
	Unit        string // "s", "/s", "B", "B/s", "%" or "" (a plain figure)
	Height      int    // pixels
	Lines       []Line
	Heat        *Heat // drawn below the lines
}

// Points is the most points a line should have; more cannot be told apart on paper.
const Points = 240

const width = 1000

// HTML draws the chart.
func (c Chart) HTML() template.HTML {
	var b strings.Builder
	fmt.Fprintf(&b, `<figure class="chart" id="%s"><figcaption><b>%s</b>`, escape(c.ID), escape(c.Title))
	c.legend(&b)
	fmt.Fprintf(&b, `</figcaption><div class="frame" style="--h:%dpx"><div class="y" aria-hidden="true">`, c.Height)
	for _, t := range c.Scale.Ticks() {
		fmt.Fprintf(&b, `<span style="bottom:%s%%">%s</span>`, number(100*c.Scale.At(t), 1), escape(tick(t, c.Unit)))
	}
	b.WriteString(`</div>`)
	c.svg(&b)
	b.WriteString(`<div class="x" aria-hidden="true">`)
	for _, t := range timeTicks(c.From, c.To) {
		class := ""
		if c.at(t) > .97 {
			class = ` class="end"`
		}
		fmt.Fprintf(&b, `<span%s style="left:%s%%">%s</span>`, class, number(100*c.at(t), 1), Moment(t))
	}
	b.WriteString("</div></div></figure>\n")
	return template.HTML(b.String())
}

func (c Chart) legend(b *strings.Builder) {
	if len(c.Lines) > 1 || c.Heat != nil {
		b.WriteString(`<span class="legend">`)
		for _, l := range c.Lines {
			fmt.Fprintf(b, `<span><svg viewBox="0 0 26 8" aria-hidden="true"><path class="%s" d="M1 4H25"/></svg>%s</span>`,
				escape(l.Class), escape(l.Name))
		}
		if c.Heat != nil {
			b.WriteString(`<span>fewer <svg viewBox="0 0 35 8" aria-hidden="true">`)
			for level := 1; level <= Levels; level++ {
				fmt.Fprintf(b, `<path class="heat h%d" d="M%d 4h5"/>`, level, 5*level-5)
			}
			b.WriteString(`</svg> more</span>`)
		}
		b.WriteString(`</span>`)
	}
}

func (c Chart) svg(b *strings.Builder) {
	id := escape(c.ID)
	fmt.Fprintf(b, `<svg viewBox="0 0 %d %d" preserveAspectRatio="none" role="img" aria-labelledby="%s-t %s-d"`, width, c.Height, id, id)
	fmt.Fprintf(b, ` data-from="%s" data-to="%s" data-low="%s" data-high="%s" data-log="%t" data-unit="%s">`,
		number(c.From, 3), number(c.To, 3), exact(c.Scale.Low), exact(c.Scale.High), c.Scale.Log, escape(c.Unit))
	fmt.Fprintf(b, `<title id="%s-t">%s</title><desc id="%s-d">%s</desc>`, id, escape(c.Title), id, escape(c.Description))
	b.WriteString(`<path class="grid" d="`)
	for _, t := range c.Scale.Ticks() {
		fmt.Fprintf(b, "M0 %sH%d", c.y(t), width)
	}
	b.WriteString(`"/>`)
	if c.Heat != nil {
		c.Heat.draw(b, c.Height)
	}
	if c.WarmUp > c.From {
		fmt.Fprintf(b, `<path class="warm" d="M0 0H%sV%dH0z"/>`, number(width*c.at(c.WarmUp), 1), c.Height)
	}
	if c.End > c.From && c.End < c.To {
		fmt.Fprintf(b, `<path class="warm" d="M%d 0H%sV%dH%dz"/>`, width, number(width*c.at(c.End), 1), c.Height, width)
	}
	for _, l := range c.Lines {
		c.line(b, l)
	}
	b.WriteString(`</svg>`)
}

// line draws absolute points only ("x y x y"), which the page's script reads back to show values.
func (c Chart) line(b *strings.Builder, l Line) {
	var d, area strings.Builder
	run := 0 // points since the last gap
	var firstX, lastX, lastY string
	end := func() {
		switch {
		case run == 1:
			d.WriteString(" " + lastX + " " + lastY) // a dot
		case run > 1 && l.Area:
			fmt.Fprintf(&area, "V%dH%sz", c.Height, firstX)
		}
		run = 0
	}
	for i, v := range l.Values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			end()
			continue
		}
		x, y := number(width*c.at(l.From+(float64(i)+.5)*l.Step), 1), c.y(v)
		if run == 0 {
			firstX = x
			d.WriteString("M" + x + " " + y)
			area.WriteString("M" + x + " " + y)
		} else {
			d.WriteString(" " + x + " " + y)
			area.WriteString(" " + x + " " + y)
		}
		lastX, lastY = x, y
		run++
	}
	end()
	class := escape(l.Class)
	if l.Area {
		fmt.Fprintf(b, `<path class="area %s" d="%s"/>`, class, area.String())
	}
	step := number(width*(c.at(l.From+l.Step)-c.at(l.From)), 1) // within which the page's script finds a point
	fmt.Fprintf(b, `<path class="line %s" data-name="%s" data-step="%s" d="%s"/>`, class, escape(l.Name), step, d.String())
}

// at is where a moment lies from left (0) to right (1).
func (c Chart) at(t float64) float64 {
	if c.To <= c.From {
		return 0
	}
	return clamp((t - c.From) / (c.To - c.From))
}

func (c Chart) y(v float64) string { return number(float64(c.Height)*(1-c.Scale.At(v)), 1) }

// Spark draws values from 0 to high as a small curve without axes, over the same time as a Chart from from to to.
func Spark(l Line, from, to, high float64) template.HTML {
	c := Chart{From: from, To: to, Scale: Scale{High: max(high, 1e-12)}, Height: 100}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="spark" viewBox="0 0 %d %d" preserveAspectRatio="none" aria-hidden="true">`, width, c.Height)
	c.line(&b, l)
	b.WriteString(`</svg>`)
	return template.HTML(b.String())
}

// Value writes v in a unit of Chart.Unit.
func Value(v float64, unit string) string {
	switch unit {
	case "s":
		return format.Seconds(v)
	case "/s":
		return format.Rate(v)
	case "B":
		return format.Bytes(v)
	case "B/s":
		return format.Bytes(v) + "/s"
	case "%":
		return format.Percent(v)
	}
	return format.Number(v)
}

// tick is a value without the zeros that end its fraction.
func tick(v float64, unit string) string {
	s := Value(v, unit)
	end := strings.IndexFunc(s, func(r rune) bool { return r != '.' && r != ',' && r != '−' && (r < '0' || r > '9') })
	if end < 0 {
		end = len(s)
	}
	if figure := s[:end]; strings.Contains(figure, ".") {
		return strings.TrimRight(strings.TrimRight(figure, "0"), ".") + s[end:]
	}
	return s
}

// Moment writes seconds since the start as "1:30" or "2:00:00".
func Moment(t float64) string {
	sign := ""
	if t < 0 {
		sign, t = "−", -t
	}
	s := int64(t + .5)
	if s >= 3600 {
		return fmt.Sprintf("%s%d:%02d:%02d", sign, s/3600, s%3600/60, s%60)
	}
	return fmt.Sprintf("%s%d:%02d", sign, s/60, s%60)
}

// escape makes text fit for HTML and XML alike.
func escape(s string) string {
	return html.EscapeString(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s))
}

// number writes a coordinate with few bytes.
func number(v float64, digits int) string {
	if math.IsNaN(v) {
		return "0"
	}
	s := strconv.FormatFloat(v, 'f', digits, 64)
	s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	if s == "" || s == "-" || s == "-0" {
		return "0"
	}
	return s
}

func exact(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
