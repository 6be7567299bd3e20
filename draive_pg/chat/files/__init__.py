"""Files of chat logs: containers of JSON documents, whatever their format."""
