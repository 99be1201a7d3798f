package github

import "time"

// Impatient gives the client with another timeout for each call.
func (c *Client) Impatient(d time.Duration) *Client {
	impatient := *c
	impatient.timeout = d
	return &impatient
}
