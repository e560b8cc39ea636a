"""The pages: made on the server, for a phone in one hand at night, and for a desk."""
