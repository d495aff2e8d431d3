package content

// Sizes says how large messages are.
type Sizes int

const (
	// Small is about 8 KB, text.
	Small Sizes = iota
	// Office is heavy-tailed: text is lognormal, files follow a bounded Pareto law; the mean is Options.MeanBytes.
	Office
)

// Options of a Run. The zero value is small messages to one recipient, without threads or files, and nobody's deliveries are followed.
type Options struct {
	Sizes Sizes
	// MeanBytes is the mean size of Office messages; 0 is 75,000. MaxBytes is the largest message; 0 is 25 MiB.
	MeanBytes, MaxBytes int
	// RecipientsMean is the mean number of recipients, at least 1; 0 is 1.
	RecipientsMean float64
	// ReplyShare is the share of messages that answer another, 0 to 1.
	ReplyShare float64
	// AttachmentShare is the share of messages that carry files, 0 to 1; in Office mail these are the tail, and 0 is 0.15.
	AttachmentShare float64
	// Witnesses is the share of accounts whose deliveries are followed one by one, 0 to 1.
	Witnesses float64
	// MaxTracked bounds the deliveries followed at once, the mailboxes known and, times eight, the messages whose IMAP data are
	// remembered; 0 is 131,072: at most about 150 MB in all.
	MaxTracked int
}

func (o Options) withDefaults() Options {
	if o.MeanBytes <= 0 {
		o.MeanBytes = 75_000
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = 25 << 20
	}
	o.MaxBytes = min(max(o.MaxBytes, 2048), maxSize)
	if o.MaxTracked <= 0 {
		o.MaxTracked = 1 << 17
	}
	return o
}
