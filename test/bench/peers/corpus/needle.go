package corpus

// Needles are the words that searches look for: each is in a few messages, and nowhere else.
var Needles = [...]string{"xylophonie", "xenotropie", "xerophilie", "xylographe", "xiphoidien", "xenodochie", "xanthopsie", "xylotheque"}

// Place is where in a message a needle is.
type Place int

const (
	Nowhere Place = iota
	InBody
	InHeader // in Keywords
)

// spacing is how many messages there are for one with a needle in its body and one with a needle in its header.
const spacing = 400

// Planted says which needle the message of a number has, and where.
func Planted(number int) (needle string, place Place) {
	needle = Needles[number/spacing%len(Needles)]
	switch number % spacing {
	case 7:
		return needle, InBody
	case 211:
		return needle, InHeader
	}
	return "", Nowhere
}

// Matches is how many of the messages from 0 to n-1 a search for a needle must find: in their bodies (RFC 9051, 6.4.4: BODY), or
// also in their headers (TEXT).
func Matches(needle string, n int, headers bool) (count int) {
	for number := range n {
		if found, place := Planted(number); found == needle && (place == InBody || place == InHeader && headers) {
			count++
		}
	}
	return count
}
