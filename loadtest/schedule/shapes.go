package schedule

import "time"

// hours are the factors at each full hour of an office day relative to its
// busy hour, from 10 to 11. Their sum makes that hour 10.3 % of the day, as
// measured in a hospital's mail; the evening and the night are almost idle.
var hours = [24]float64{
	.04, .03, .03, .03, .03, .05, .15, .45, .85, .95, 1, 1,
	.70, .65, .90, .95, .78, .4187379, .22, .15, .12, .09, .07, .05,
}

// busyHour is the busy hour's share of a day.
const busyHour = .103

// Diurnal is a day's shape stretched over total: its mean is 1, so that the
// base rate is the day's mean rate, and its busy hour (1/24 of total) brings
// 10.3 % of all arrivals, at 2.47 times the mean.
func Diurnal(total time.Duration) Curve {
	c := make(Curve, 0, len(hours)+1)
	for i := range len(hours) + 1 {
		at := time.Duration(float64(total) * float64(i) / float64(len(hours)))
		c = append(c, Point{At: at, Factor: hours[i%len(hours)] * busyHour * float64(len(hours))})
	}
	return c
}
