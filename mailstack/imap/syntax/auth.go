package syntax

// Login is LOGIN (RFC 9051, section 6.2.3).
type Login struct {
	User, Password string
}

// Authenticate is AUTHENTICATE (RFC 9051, section 6.2.2) with the initial response of SASL-IR (RFC 4959).
type Authenticate struct {
	Mechanism  string // in capitals
	Initial    []byte // decoded
	HasInitial bool   // there is an initial response, which may be empty ("=")
}

// IDField is a field of ID (RFC 2971, section 3.3).
type IDField struct {
	Name  string
	Value string
	Null  bool // the value is NIL
}
