// Package accounts reads the accounts of ministries from their sources, keeps the index of who holds which address,
// and imports CSV files.
package accounts

import (
	"fmt"
	"strings"
)

// Problem is a mistake in what people declared: it goes into a condition, not into a retry.
type Problem struct {
	Reason  string // one of the API's reasons
	Message string
}

func (p *Problem) Error() string { return p.Message }

// maxListed bounds what one message lists.
const maxListed = 10

// list writes the first few mistakes and how many more there are.
func list(mistakes []string, total int) string {
	if total <= len(mistakes) {
		return strings.Join(mistakes, "; ")
	}
	return fmt.Sprintf("%s; and %d more", strings.Join(mistakes, "; "), total-len(mistakes))
}
