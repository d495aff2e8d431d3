package plot

import (
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestScales: whatever the figures, they lie on the scale, which has few, round and ascending ticks.
func TestScales(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		low := math.Pow(10, rng.Float64()*9-6)
		high := low * math.Pow(10, rng.Float64()*6)
		for name, s := range map[string]Scale{"linear": Linear(high), "bytes": LinearBytes(high), "logarithmic": Logarithmic(low, high)} {
			ticks := s.Ticks()
			if n := len(ticks); n < 2 || n > 9 || !slices.IsSorted(ticks) {
				t.Fatalf("%s %g to %g: found ticks %v", name, low, high, ticks)
			}
			if ticks[0] < s.Low*(1-1e-9) || ticks[len(ticks)-1] > s.High*(1+1e-9) {
				t.Fatalf("%s %g to %g: ticks %v beyond %+v", name, low, high, ticks, s)
			}
			if high > s.High*(1+1e-9) || s.High > 11*high && name != "logarithmic" || s.Log && low < s.Low*(1-1e-9) {
				t.Fatalf("%s: %+v does not fit %g to %g", name, s, low, high)
			}
			if at := s.At((s.Low + s.High) / 2); at <= 0 || at >= 1 || s.At(s.High) != 1 || s.At(s.Low) != 0 || s.At(-1) != 0 {
				t.Fatalf("%s %g to %g: the middle is at %g", name, low, high, at)
			}
		}
	}
}

func TestScalesOfNothing(t *testing.T) {
	for _, v := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		for name, s := range map[string]Scale{"linear": Linear(v), "bytes": LinearBytes(v), "logarithmic": Logarithmic(v, v)} {
			if !(s.High > s.Low) || len(s.Ticks()) < 2 {
				t.Errorf("%s of %g: found %+v with ticks %v", name, v, s, s.Ticks())
			}
		}
	}
}

var data = regexp.MustCompile(`class="line c1" data-name="[^"]*" data-step="100" d="([^"]*)"`)

// TestLine: a curve has the points of its values, in their places, and a gap where there is none.
func TestLine(t *testing.T) {
	nan := math.NaN()
	c := Chart{ID: "a", To: 10, Scale: Linear(100), Height: 200, Lines: []Line{{Name: "x", Class: "c1", Step: 1, Area: true,
		Values: []float64{0, 50, 100, nan, 25, nan, math.Inf(1), 75, 75, 200}}}}
	m := data.FindStringSubmatch(string(c.HTML()))
	if m == nil {
		t.Fatal("no curve")
	}
	if want := "M50 200 150 100 250 0M450 150 450 150M750 50 850 50 950 0"; m[1] != want {
		t.Errorf("found %s; accepted is %s", m[1], want)
	}
}

// TestHeatConserves: samples spread over rows and strokes over columns, but none is lost.
func TestHeatConserves(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	h := NewHeat(20, 30, Logarithmic(1e-3, 1))
	total := 0.0
	for range 500 {
		low := math.Pow(10, rng.Float64()*5-4) // some outside the scale
		n := float64(1 + rng.IntN(50))
		h.Add(rng.IntN(20), low, low*1.0625, n)
		total += n
	}
	h.Add(-1, 1, 1, 1)
	h.Add(20, 1, 1, 1)
	sum := 0.0
	for _, n := range h.counts {
		sum += n
	}
	if math.Abs(sum-total) > 1e-6 {
		t.Errorf("found %g samples; accepted is %g", sum, total)
	}
	drawn, want := 0, 0
	for _, n := range h.counts {
		if n >= .05 {
			want++
		}
	}
	var b strings.Builder
	h.draw(&b, 100)
	for _, m := range regexp.MustCompile(`h(\d+)M?`).FindAllStringSubmatch(regexp.MustCompile(`class="[^"]*"`).ReplaceAllString(b.String(), ""), -1) {
		n, _ := strconv.Atoi(m[1])
		drawn += n
	}
	if drawn != want {
		t.Errorf("found %d cells drawn; accepted is %d", drawn, want)
	}
}

func TestShade(t *testing.T) {
	last := 0
	for n := range 1000 {
		s := shade(float64(n), 999)
		if s < last || s > Levels || n > 0 && s == 0 {
			t.Fatalf("shade of %d after %d: found %d", n, last, s)
		}
		last = s
	}
	if last != Levels {
		t.Errorf("the highest count has shade %d; accepted is %d", last, Levels)
	}
}

// FuzzChart: names come from the target; a chart stays one well-formed figure.
func FuzzChart(f *testing.F) {
	f.Add("imap.fetch", 0.0, 10.0, 3.0)
	f.Add("</svg><script>\x00\xff\"'&", -5.0, 1e9, math.NaN())
	f.Fuzz(func(t *testing.T, name string, from, to, v float64) {
		if to-from > 1e12 || math.Abs(from) > 1e12 || math.IsNaN(from) || math.IsNaN(to) {
			t.Skip()
		}
		h := NewHeat(2, 2, Logarithmic(v, v))
		h.Add(0, v, 2*v, v)
		c := Chart{
			ID: "a", Title: name, Description: name, From: from, To: to, WarmUp: v, End: v, Scale: Linear(v), Unit: "s", Height: 90, Heat: h,
			Lines: []Line{{Name: name, Class: "c1", From: from, Step: v, Values: []float64{v, math.NaN(), v, 1}}},
		}
		text := string(c.HTML())
		d := xml.NewDecoder(strings.NewReader(text))
		depth := 0
		for {
			token, err := d.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%v in %s", err, text)
			}
			switch token := token.(type) {
			case xml.StartElement:
				if depth++; token.Name.Local == "script" {
					t.Fatal("a script")
				}
				for _, a := range token.Attr {
					if a.Name.Local == "d" && strings.ContainsAny(a.Value, "NIa") {
						t.Fatalf("no coordinates: %s", a.Value)
					}
				}
			case xml.EndElement:
				depth--
			}
		}
		if depth != 0 || !strings.HasPrefix(text, "<figure") {
			t.Fatalf("no figure: %s", text)
		}
	})
}

func TestLabels(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{tick(.5, "s"), "500 ms"}, {tick(.25, "/s"), "0.25/s"}, {tick(1.5*(1<<30), "B"), "1.5 GiB"}, {tick(0, "B/s"), "0 B/s"}, {tick(2, ""), "2"},
		{tick(.1, "%"), "10 %"}, {Moment(0), "0:00"}, {Moment(-4), "−0:04"}, {Moment(95), "1:35"}, {Moment(3725), "1:02:05"},
		{fmt.Sprint(timeTicks(0, 60)), "[0 10 20 30 40 50 60]"}, {fmt.Sprint(timeTicks(-4, 86400)[:3]), "[0 21600 43200]"},
	} {
		if c.got != c.want {
			t.Errorf("found %q; accepted is %q", c.got, c.want)
		}
	}
}
