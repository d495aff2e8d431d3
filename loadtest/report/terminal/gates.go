package terminal

import (
	"unicode/utf8"

	"gouv.tg/messagerie/loadtest/gate"
	"gouv.tg/messagerie/loadtest/report/internal/format"
)

// widestGate is the number of columns that align the values of gates.
func widestGate(gates []gate.Outcome) int {
	columns := 0
	for _, g := range gates {
		columns = max(columns, utf8.RuneCountInString(g.Expr))
	}
	return min(columns, 60)
}

// gate is a gate and what it measured, or why it could not.
func (s style) gate(g gate.Outcome, columns int) string {
	expr, value := pad(clean(g.Expr), columns), format.Metric(g.Expr, g.Value)
	reason := clean(format.Reason(g.Reason))
	switch {
	case g.Pass:
		return "  " + s.as(green, "✓ ") + expr + "  " + s.as(dim, value)
	case reason != "":
		return "  " + s.as(yellow, "✗ ") + expr + "  " + s.as(yellow, reason)
	}
	return "  " + s.as(red, "✗ ") + s.as(bold, expr) + "  " + s.as(red, value)
}
