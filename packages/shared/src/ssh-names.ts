/** Words that can be no option and no part of a command line, wherever they are put. */
export const SSH_HOST = /^(?:[A-Za-z0-9_][A-Za-z0-9_.:%-]*|[0-9A-Fa-f:]+(?:%[A-Za-z0-9]+)?)$/;
export const SSH_HOST_CHARS_MAX = 255;
export const SSH_USER = /^[A-Za-z0-9_.][A-Za-z0-9_.@+\\-]*\$?$/;
export const SSH_USER_CHARS_MAX = 64;
