package score

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Millis is a duration that JSON has as a number of milliseconds, to the microsecond.
type Millis time.Duration

// MarshalJSON writes milliseconds.
func (m Millis) MarshalJSON() ([]byte, error) {
	micros := time.Duration(m).Round(time.Microsecond).Microseconds()
	return strconv.AppendFloat(nil, float64(micros)/1000, 'f', -1, 64), nil
}

// UnmarshalJSON reads milliseconds; more than 292 years are an error.
func (m *Millis) UnmarshalJSON(b []byte) error {
	ms, err := strconv.ParseFloat(string(b), 64)
	if err != nil || math.Abs(ms) > math.MaxInt64/1e6 {
		return fmt.Errorf("duration %.40q: want a number of milliseconds", b)
	}
	*m = Millis(math.Round(ms * 1e6))
	return nil
}
