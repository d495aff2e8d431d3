package target

import (
	"math"
	"slices"
	"time"
)

// maxIntervals bounds a series: when it is full, neighbours merge and a day costs what a quarter of an hour costs.
const maxIntervals = 512

// Columns of a series. Rates come from figures that grow, gauges from those of the moment.
const (
	cpu = iota
	diskRead
	diskWrite
	networkRead
	networkSent
	gcPause
	rates
)

const (
	resident = iota
	openFiles
	goroutines
	heap
	queueLength
	sessions
	gauges
)

// timeline places times in intervals. All Pods share one.
type timeline struct {
	begin time.Time
	width time.Duration
	n     int // intervals begun
}

// reach makes the interval that t lies in, and tells how often neighbours must merge for it.
func (l *timeline) reach(t time.Time) (folds int) {
	for l.index(t) >= maxIntervals {
		l.width *= 2
		l.n = (l.n + 1) / 2
		folds++
	}
	l.n = max(l.n, l.index(t)+1)
	return folds
}

func (l *timeline) index(t time.Time) int { return int(max(0, t.Sub(l.begin)) / l.width) }

// columns are the figures of one Pod. Slices are as long as they need to be.
type columns struct {
	amount, covered [rates][]float64 // what a figure grew by in an interval, and in how many seconds of it
	highest         [gauges][]float64
}

func at(column *[]float64, i int, fill float64) *float64 {
	for len(*column) <= i {
		*column = append(*column, fill)
	}
	return &(*column)[i]
}

// grow spreads what a figure grew by evenly over the time between two samples.
func (c *columns) grow(l *timeline, rate int, from, to time.Time, amount float64) {
	seconds := to.Sub(from).Seconds()
	if seconds <= 0 {
		return
	}
	for i := l.index(from); i <= l.index(to); i++ {
		starts := l.begin.Add(time.Duration(i) * l.width)
		ends := starts.Add(l.width)
		if starts.Before(from) {
			starts = from
		}
		if ends.After(to) {
			ends = to
		}
		if part := ends.Sub(starts).Seconds(); part > 0 {
			*at(&c.amount[rate], i, 0) += amount * part / seconds
			*at(&c.covered[rate], i, 0) += part
		}
	}
}

// show takes in a figure of the moment.
func (c *columns) show(l *timeline, gauge int, t time.Time, value float64) {
	v := at(&c.highest[gauge], l.index(t), math.NaN())
	*v = highest(*v, value)
}

func highest(a, b float64) float64 {
	if math.IsNaN(a) || b > a {
		return b
	}
	return a
}

func add(a, b float64) float64 { return a + b }

// fold merges neighbours.
func (c *columns) fold() {
	for i := range rates {
		c.amount[i], c.covered[i] = pairs(c.amount[i], add), pairs(c.covered[i], add)
	}
	for i := range gauges {
		c.highest[i] = pairs(c.highest[i], highest)
	}
}

func pairs(column []float64, merge func(a, b float64) float64) []float64 {
	for i := 0; i < len(column); i += 2 {
		v := column[i]
		if i+1 < len(column) {
			v = merge(v, column[i+1])
		}
		column[i/2] = v
	}
	return column[:(len(column)+1)/2]
}

// series makes columns of n intervals.
func (c *columns) series(n int) Series {
	rate := func(i int) Column {
		return fill(n, len(c.amount[i]), func(j int) float64 { return c.amount[i][j] / c.covered[i][j] }) // 0/0 is NaN
	}
	gauge := func(i int) Column {
		return fill(n, len(c.highest[i]), func(j int) float64 { return c.highest[i][j] })
	}
	return Series{
		CPUCores: rate(cpu), GCPauseShare: rate(gcPause),
		DiskReadBytesPerSecond: rate(diskRead), DiskWriteBytesPerSecond: rate(diskWrite),
		NetworkReadBytesPerSecond: rate(networkRead), NetworkSentBytesPerSecond: rate(networkSent),
		ResidentBytes: gauge(resident), OpenFiles: gauge(openFiles), Goroutines: gauge(goroutines), HeapBytes: gauge(heap),
		QueueLength: gauge(queueLength), Sessions: gauge(sessions),
	}
}

func fill(n, known int, value func(int) float64) Column {
	if known == 0 {
		return nil
	}
	out := make(Column, n)
	for i := range out {
		out[i] = math.NaN()
		if i < known {
			out[i] = value(i)
		}
	}
	return out
}

// all are the columns of a series, always in the same order.
func (s *Series) all() []*Column {
	return []*Column{
		&s.CPUCores, &s.ResidentBytes, &s.DiskReadBytesPerSecond, &s.DiskWriteBytesPerSecond, &s.NetworkReadBytesPerSecond,
		&s.NetworkSentBytesPerSecond, &s.OpenFiles, &s.Goroutines, &s.HeapBytes, &s.GCPauseShare, &s.QueueLength, &s.Sessions,
	}
}

// sum adds up what is known in each interval.
func sum(pods []PodSeries) Series {
	var total Series
	to := total.all()
	for i := range pods {
		for c, column := range pods[i].all() {
			if *column != nil && *to[c] == nil {
				*to[c] = slices.Clone(*column)
				continue
			}
			for j, v := range *column {
				if sum := &(*to[c])[j]; math.IsNaN(*sum) {
					*sum = v
				} else if !math.IsNaN(v) {
					*sum += v
				}
			}
		}
	}
	return total
}
