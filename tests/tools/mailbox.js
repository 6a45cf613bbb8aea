/**
 * A mail server that takes every mail and passes none on.
 *
 *   const mailbox = await startMailbox();
 *   mailbox.address;                    // 127.0.0.1:PORT
 *   mailbox.mails;                      // [{text, login}]: as it came, and "\0user\0password" of who sent it
 *   await mailbox.stop();
 */
'use strict';

const net = require('node:net');

const HOST = '127.0.0.1';

class Mailbox {
    constructor() {
        this.mails = [];
        this.sockets = new Set();
        this.server = net.createServer((socket) => this.talk(socket));
    }

    async start() {
        await new Promise((resolve, reject) => this.server.on('error', reject).listen(0, HOST, resolve));
        this.server.unref();
        this.address = `${HOST}:${this.server.address().port}`;
    }

    /** One sender. */
    talk(socket) {
        this.sockets.add(socket.setEncoding('utf8').on('close', () => this.sockets.delete(socket)).on('error', () => {}));
        let text = '';
        let login = '';
        let isMail = false;
        const say = (line) => socket.write(`${line}\r\n`);
        const commands = {
            EHLO: () => say('250-mailbox\r\n250 AUTH PLAIN'),
            AUTH: (line) => {
                login = Buffer.from(line.split(' ')[2], 'base64').toString('utf8');
                say('235 welcome');
            },
            DATA: () => {
                isMail = true;
                say('354 go on');
            },
            QUIT: () => socket.end('221 bye\r\n'),
        };
        socket.on('data', (chunk) => {
            text += chunk;
            for (;;) {
                const end = text.indexOf(isMail ? '\r\n.\r\n' : '\r\n');
                if (end < 0) {
                    return;
                }
                const piece = text.slice(0, end);
                text = text.slice(end + (isMail ? 5 : 2));
                if (isMail) {
                    isMail = false;
                    this.mails.push({ text: piece, login });
                    say('250 taken');
                } else {
                    (commands[piece.split(' ')[0].toUpperCase()] || (() => say('250 fine')))(piece);
                }
            }
        });
        say('220 mailbox');
    }

    async stop() {
        this.sockets.forEach((socket) => socket.destroy());
        await new Promise((resolve) => this.server.close(resolve));
    }
}

async function startMailbox() {
    const mailbox = new Mailbox();
    await mailbox.start();
    return mailbox;
}

module.exports = { startMailbox };
