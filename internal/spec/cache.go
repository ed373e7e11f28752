package spec

// Storing is what becomes of responses of a kind.
type Storing string

// StoringRefuse never stores them, StoringStore does where they allow it.
const (
	StoringRefuse Storing = "refuse"
	StoringStore  Storing = "store"
)

// Obeying is what becomes of what clients ask of the cache.
type Obeying string

// ObeyingIgnore goes by the stored response alone, ObeyingHonor does as the client asks.
const (
	ObeyingIgnore Obeying = "ignore"
	ObeyingHonor  Obeying = "honor"
)

// BrokenAge is what an Age that is repeated or no number means.
type BrokenAge string

// BrokenAgeIgnore takes the first value and ignores what is no number (RFC 9111 §5.1), BrokenAgeStale takes the response for stale.
const (
	BrokenAgeIgnore BrokenAge = "ignore"
	BrokenAgeStale  BrokenAge = "stale"
)
